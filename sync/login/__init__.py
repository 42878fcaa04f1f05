"""The login on this computer: its tokens, where they are kept, and how an account becomes active."""
