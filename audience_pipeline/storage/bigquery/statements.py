"""The store's statements: texts in ``sql/statements/``, filled in with names from the declarations.

Belongs here: filling in. Does not belong here: values, which are query parameters always.
"""

from functools import cache
from string import Template

from audience_pipeline.sqlfiles import read_sql


def statement(name: str, **parts: str) -> str:
    """Return the statement in file ``name`` with each ``$part`` replaced; a missing one is an error."""
    return _template(name).substitute(parts)


@cache
def _template(name: str) -> Template:
    return Template(read_sql(f"statements/{name}.sql"))
