"""Tests of the table store: one contract suite for every backend, and what only the Parquet store promises."""
