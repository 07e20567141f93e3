"""The assets: what lands, and the tables made of it. Each module has a function that makes its kind for one table."""
