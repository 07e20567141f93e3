"""The tests, one module or package for each of the package's, and the proofs and drift checks that `make` runs."""
