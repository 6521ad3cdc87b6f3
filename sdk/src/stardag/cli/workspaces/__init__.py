"""`stardag workspaces`: where outputs are, limits, and how long things are kept."""
