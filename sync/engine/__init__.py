"""The pure engine: events in, effects out, no input or output of its own."""
