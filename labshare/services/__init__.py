"""One function for each thing a person can do: it loads, asks the domain, and saves, in the caller's transaction."""

from labshare.store.engine import Connection, Database, DatabaseFault, open_database

__all__ = ["Connection", "Database", "DatabaseFault", "open_database"]
