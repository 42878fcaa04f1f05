"""`/auth/v1` of the one-machine server, in GoTrue's terms."""
