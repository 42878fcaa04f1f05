"""Examines a server from outside, as a signed-in person's device sees it, and leaves nothing behind that shows."""
