"""Pure rules: what an event means, and what is refused. No I/O, no grpc, no SQL."""
