"""How values become bytes: one module a format."""
