"""How calls reach the services: the gRPC server and its interceptors."""
