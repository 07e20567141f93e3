"""Delivery: what becomes of a distribution, who said so, and the record of both. Nothing here knows Dagster."""
