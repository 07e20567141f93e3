"""Tests of the command line, run as a user would: arguments in, stdout, stderr and exit code out."""
