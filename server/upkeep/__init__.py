"""What an operator does to a server's database: look at it, back it up, put it back."""
