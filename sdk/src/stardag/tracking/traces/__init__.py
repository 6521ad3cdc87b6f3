"""The same events as OpenTelemetry spans: made and exported by the sender."""
