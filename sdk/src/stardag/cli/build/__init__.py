"""`stardag build`: from `module:attribute` and parameters to tasks, and what became of them."""
