"""The local SQLite store: schema, records and every query that reads or writes them."""
