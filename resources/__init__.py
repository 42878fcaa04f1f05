"""Icons, and the script that draws the README's pictures."""
