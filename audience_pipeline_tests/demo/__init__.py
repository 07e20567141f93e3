"""The generated world: deterministic, flat in memory, and obedient to the rules of landing."""
