"""Benchmarks: ratios between this package and its best rivals, both sides taken in the same run.

Belongs here: one module a row of the table in docs/benchmarks.md, and what they share (rows to store, stores, clocks).
Does not belong here: tests; a benchmark only asserts that the compared programs did the same work. Everything is made
in one temporary directory and removed at the end.
"""
