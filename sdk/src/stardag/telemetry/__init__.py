"""How builds look to OpenTelemetry."""
