"""The one-machine sync server: a PostgreSQL supervisor and the gateway that speaks to Supabase clients."""
