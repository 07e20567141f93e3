"""What docs/dagster.md shows is run as it stands there."""

import re
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from audience_pipeline import open_store
from audience_pipeline.settings import Settings, variable
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.storage.builders import audience, put

PAGE = Path(__file__).parent.parent.parent / "docs" / "dagster.md"


def test_the_example_of_an_asset_of_ones_own_works(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data_dir", "landing_dir", "quarantine_dir", "keyset"):
        monkeypatch.setenv(variable(name), str(getattr(settings, name)))
    with open_store(settings) as store:
        put(store, AUDIENCES, *(audience(number, total_audience_size=10 * number) for number in (1, 2)))
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, dg.Definitions] = {}
    exec(example, module)  # noqa: S102 - our own page
    job = module["defs"].resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(partition_key="2025-05", asset_selection=[dg.AssetKey("audience_sizes")])
    assert done.success
    (path,) = settings.data_dir.glob("derived/audience_sizes/year=2025/month=05/*.parquet")
    assert pl.read_parquet(path, hive_partitioning=False)["total_audience_size"].to_list() == [20]
