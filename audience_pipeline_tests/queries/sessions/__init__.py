"""Tests of tenant sessions."""
