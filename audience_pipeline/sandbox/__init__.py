"""The sandbox: a small platform for demonstrations, rehearsals and tests, in a process of its own.

It knows nothing of the pipeline: all they share is HTTP on this machine. Nothing in it is a model of what a real
platform would match or approve; its numbers are marked as simulated.
"""

DEFAULT_PORT = 9070
