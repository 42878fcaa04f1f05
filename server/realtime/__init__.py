"""`/realtime/v1` of the one-machine server: who listens to what, and the hints that they get."""
