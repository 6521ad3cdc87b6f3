"""One thin class a proto service, independent of the transport that calls it."""
