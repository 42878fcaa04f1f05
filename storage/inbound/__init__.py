"""What comes from the server: changes, history in ranges, and the comparison of both sides."""
