"""What is done about a damaged store: looking for damage, and saving all that can still be read."""
