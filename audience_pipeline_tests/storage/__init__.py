"""Tests of the table store: one contract suite for every backend, and what only the Parquet store promises."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.builders", f"{__name__}.writer")
