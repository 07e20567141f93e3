"""What a demo ends with: the commands that open what it made.

Belongs here: which commands those are, by backend. Does not belong here: the demo.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audience_pipeline.demo.place import Place
    from audience_pipeline.settings import Settings

_COMMANDS = """\
  . {environment}   # points this shell at the demo: settings, PATH, DAGSTER_HOME
  audience-pipeline query user-audiences --user-id {user}
  audience-pipeline quarantine list
  audience-pipeline sql "SELECT status, count(*) AS distributions FROM distributions GROUP BY status"
  dagster dev -m audience_pipeline.definitions   # then open http://localhost:3000/assets
"""
_ON_FILES = f"""{_COMMANDS}\
  python -c "import duckdb; print(duckdb.connect('{{catalog}}', read_only=True).sql('FROM audience_segments LIMIT 5'))"
"""
_ON_AN_EMULATOR = f"""\
The emulator ends with the command that started it, and the tables end with the emulator. A shell can have one of its
own, for as long as it is open; in it the demo takes up this directory again:
  {{python}} -m emulator run sh
  {{program}} demo --directory {{directory}}
{_COMMANDS}\

In another shell, the same on Google's service, in a dataset that the demo makes (docs/bigquery.md):
  export AUDIENCE_PIPELINE_BACKEND=bigquery
  export AUDIENCE_PIPELINE_BIGQUERY_PROJECT=my-project AUDIENCE_PIPELINE_BIGQUERY_DATASET=audience_demo
  {{program}} demo --directory {{directory}}-service
"""
_ON_BIGQUERY = f"""{_COMMANDS}\
  bq rm -r -f -d {{dataset}} && bq rm -r -f -d {{dataset}}_views   # removes the demo's tables, once you have seen them
"""


def what_to_open(place: "Place", user_id: str) -> str:
    """Return the commands for a demo's place, in the order to type them; ``user_id`` is whom they ask about."""
    settings, python = place.settings, Path(sys.executable)
    return f"\nWhat to open next\n{_ending(settings)}".format(
        environment=_near(place.environment),
        user=user_id,
        catalog=_near(settings.data_dir / "catalog.duckdb"),
        dataset=f"{settings.bigquery_project}:{settings.bigquery_dataset}",
        python=_near(python),
        program=_near(python.with_name("audience-pipeline")),
        directory=_near(place.root),
    )


def _ending(settings: "Settings") -> str:
    if settings.backend == "parquet":
        return _ON_FILES
    return _ON_AN_EMULATOR if settings.bigquery_api_endpoint else _ON_BIGQUERY


def _near(path: Path) -> str:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return shlex.quote(f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path))
