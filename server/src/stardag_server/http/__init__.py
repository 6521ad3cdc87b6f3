"""What is served over HTTP, beside gRPC."""
