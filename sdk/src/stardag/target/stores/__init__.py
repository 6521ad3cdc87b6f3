"""Where objects are kept: one module a kind of store, one contract suite for all."""
