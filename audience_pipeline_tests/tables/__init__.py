"""What the declarations say, and what is derived from them."""
