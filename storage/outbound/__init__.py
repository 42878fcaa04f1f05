"""What waits for the server: edits, parcels, errands, and the words that came back on them."""
