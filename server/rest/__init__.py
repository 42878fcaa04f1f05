"""`/rest/v1` of the one-machine server, in PostgREST's terms."""
