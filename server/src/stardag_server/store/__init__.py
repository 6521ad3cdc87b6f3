"""Durable state in PostgreSQL or SQLite, behind one set of operations."""
