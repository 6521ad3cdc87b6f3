"""The commands of `stardag-server`, one a file."""
