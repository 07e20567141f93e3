"""Tests of key rotation."""
