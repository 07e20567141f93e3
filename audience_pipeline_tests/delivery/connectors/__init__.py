"""Connectors: the contract suite, and what all of them share."""
