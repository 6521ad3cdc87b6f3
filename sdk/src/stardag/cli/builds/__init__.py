"""`stardag builds`: what was built, and what is being built."""
