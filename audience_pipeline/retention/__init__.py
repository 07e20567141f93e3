"""Retention: distributions that ended long ago leave the live table for the archive, and come back when asked for.

`archive` moves what is old enough, in two phases; `restore` brings rows back; `audit` holds the archive against its
manifest. Audiences, platforms and users are never archived, and nothing is ever deleted.
"""
