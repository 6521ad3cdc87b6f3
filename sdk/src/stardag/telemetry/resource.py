"""What spans say of the program that they are of."""

from __future__ import annotations

from opentelemetry.sdk.resources import SERVICE_NAME, Resource

_UNNAMED = "unknown_service"


def resource_called(name: str) -> Resource:
    """Return what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say; called `name` if unnamed."""
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        resource = resource.merge(Resource({SERVICE_NAME: name}))
    return resource
