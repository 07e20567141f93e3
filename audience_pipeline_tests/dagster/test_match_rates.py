"""The asset `match_rates`: sums by platform, audience, day and basis, of live and archived distributions."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from audience_pipeline import open_store
from audience_pipeline.assets.match_rates import match_rates_asset
from audience_pipeline.settings import Settings
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline_tests.dagster.runs import MONTHS, materialize, metadata
from audience_pipeline_tests.storage.builders import JUNE, NOW, distribution, json, move, platform, put, uuid

DAY = datetime(2025, 6, 3)  # noqa: DTZ001 - stored times are UTC without a zone


def completed(number: int, results: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    told = None if results is None else json(results)
    done = {"status": "completed", "created_at": JUNE, "executed_at": JUNE, "match_results": told, "metadata": None}
    return distribution(number, **{**done, **changes})


def counts(total: int | None, matched: int | None, basis: str | None = "reported", **more: object) -> dict[str, Any]:
    told = {"total_records": total, "matched_records": matched, "basis": basis, **more}
    return {name: value for name, value in told.items() if value is not None}


@pytest.fixture
def rates(settings: Settings) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of June, and what Dagster shows of them."""
    with open_store(settings) as store:
        put(store, PLATFORMS, platform(1), platform(2, platform_type="facebook"))
        put(
            store,
            DISTRIBUTIONS,
            completed(1, counts(1000, 500)),
            completed(2, counts(3000, 600)),
            completed(3, counts(100, None)),
            completed(4, counts(900, 900, "simulated")),
            completed(5, counts(500, 100), executed_at=JUNE + timedelta(days=1)),
            completed(6, counts(0, 0), platform_id=uuid(2)),
            completed(7, None, platform_id=uuid(2), audience_id=uuid(2)),
            completed(
                8, counts(None, None, "reported_range", match_rate_lower=0.2, match_rate_upper=0.4), audience_id=uuid(3)
            ),
            distribution(9, created_at=JUNE),
        )
        move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(2)], {"archived_at": NOW})
    result = materialize(settings, [match_rates_asset(settings, MONTHS)], months="2025-06")
    assert result.success
    path = next(Path(settings.data_dir).glob("**/match_rates_2025_06.parquet"))
    return pl.read_parquet(path).to_dicts(), dict(metadata(result, "match_rates"))


def test_what_was_asked_for_in_a_month_is_added_up_by_day_and_basis(
    rates: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    rows, _ = rates
    told = (
        "platform_type",
        "day",
        "basis",
        "distributions",
        "measured",
        "total_records",
        "matched_records",
        "match_rate",
    )
    first = [tuple(row[name] for name in told) for row in rows if row["audience_id"] == uuid(1)]
    assert first == [
        ("the_trade_desk", DAY, "reported", 3, 2, 4000, 1100, 0.275),
        ("the_trade_desk", DAY, "simulated", 1, 1, 900, 900, 1.0),
        ("the_trade_desk", DAY + timedelta(days=1), "reported", 1, 1, 500, 100, 0.2),
        ("facebook", DAY, "reported", 1, 1, 0, 0, None),
    ]


def test_what_nobody_knows_is_null(rates: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    rows, _ = rates
    (silent,) = [row for row in rows if row["audience_id"] == uuid(2)]
    (ranged,) = [row for row in rows if row["audience_id"] == uuid(3)]
    assert (silent["basis"], silent["total_records"], silent["match_rate"], silent["measured"]) == (None, None, None, 0)
    assert (ranged["match_rate"], ranged["match_rate_lower"], ranged["match_rate_upper"]) == (None, 0.2, 0.4)


def test_rates_of_platforms_are_numbers_that_plot(rates: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    _, shown = rates
    assert shown["match rate of the_trade_desk, reported"] == pytest.approx(1200 / 4500)
    assert shown["match rate of the_trade_desk, simulated"] == 1.0
