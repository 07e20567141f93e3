"""Derived files equal what their declarations render, so neither changes alone."""

import pytest

from audience_pipeline_tests.derived import DERIVED, ROOT


@pytest.mark.parametrize("name", DERIVED)
def test_a_derived_file_is_what_its_declaration_renders(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == DERIVED[name](), f"{name} is out of date: run make derive and commit the result"
