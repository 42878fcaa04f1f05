"""The borders to the server: its functions, its logins and its realtime channel, over the official client."""
