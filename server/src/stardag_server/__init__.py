"""The tracking service of Stardag: gRPC over PostgreSQL or SQLite."""

import os

# The core of grpc writes what hits the port to the log as it came, past all escaping; what
# matters of it reaches us as errors. It looks at this once, when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
