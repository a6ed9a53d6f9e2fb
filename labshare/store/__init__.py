"""The only place that speaks SQL. Query functions take a connection and return domain structs."""
