"""Tests of the keyset, of sealed format v1, and of the rules on landed credentials."""
