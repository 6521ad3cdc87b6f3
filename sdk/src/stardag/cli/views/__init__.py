"""How what was read is drawn: cells, tables and trees, for any terminal."""
