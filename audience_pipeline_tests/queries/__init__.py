"""Tests of the access patterns, the catalog and the analysts' page, on real files."""
