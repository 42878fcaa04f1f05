"""The PostgreSQL behind the one-machine server: its own or a given one, with the schema in it."""
