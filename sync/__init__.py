"""The sync engine: a pure machine, the runner that performs its effects, and the borders to the server."""
