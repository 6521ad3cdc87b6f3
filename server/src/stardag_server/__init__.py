"""The tracking service of Stardag: gRPC over PostgreSQL or SQLite."""
