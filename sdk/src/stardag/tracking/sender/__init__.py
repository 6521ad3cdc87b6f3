"""The way out of a spool: the process that delivers it, and `stardag sync`, which does the same."""
