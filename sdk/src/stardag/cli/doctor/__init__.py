"""`stardag doctor`: whether builds here work, and are tracked."""
