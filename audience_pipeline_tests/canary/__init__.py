"""A secret that is looked for in every byte an installation writes."""
