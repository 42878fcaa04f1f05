"""Where what is here stands with its server: unconfirmed fields, orders, counts, and the numbers that are held."""
