"""Progress of a build, shown to people on the standard error: see `observer`."""
