"""What verify finds in a dataset that other programs wrote to, and what it mends."""

import pytest

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.bigquery.fences import make_fences
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import Finding
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, USERS
from audience_pipeline_tests.storage.builders import (
    JUNE,
    NOW,
    audience,
    distribution_of,
    frame,
    full_audience,
    move,
    put,
    put_references,
    stored,
    user,
    uuid,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def filled(emulated: BigQueryStore) -> BigQueryStore:
    """A sound store: users, audiences of two months, distributions of which one is archived."""
    put(emulated, USERS, user())
    put(emulated, AUDIENCES, full_audience(1), audience(2, created_at=JUNE, updated_at=JUNE))
    put_references(emulated, "user123")
    put(emulated, DISTRIBUTIONS, *(distribution_of("user123", number, status="completed") for number in (1, 2)))
    move(emulated, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(2)], {"archived_at": NOW})
    return emulated


def run(store: BigQueryStore, statement: str, **parameters: object) -> None:
    """Run a statement as another program would."""
    store.warehouse.run(statement, parameters, object="a test", operation="test")


def kinds(findings: list[Finding]) -> list[str]:
    assert all((each.object, each.found, each.expected, each.remedy) for each in findings)
    return sorted(finding.kind for finding in findings)


@pytest.mark.prove
def test_rows_without_an_index_are_found_refused_and_indexed_again(filled: BigQueryStore) -> None:
    before = filled.placements(AUDIENCES, [uuid(1), uuid(2)])
    run(filled, "DELETE FROM keys_audiences WHERE key != ''")
    with pytest.raises(CorruptionError, match="verify --repair"):
        filled.upsert(AUDIENCES, frame(AUDIENCES, [audience(1, name="b", updated_at=NOW)]))
    found = filled.verify(repair=True)
    assert {finding.repaired for finding in found if finding.kind == "index"} == {True}
    assert filled.verify() == []
    assert filled.placements(AUDIENCES, [uuid(1), uuid(2)]) == before
    assert filled.upsert(AUDIENCES, frame(AUDIENCES, [full_audience(1)])).unchanged == 1


def test_an_index_repaired_in_the_archive_still_knows_its_keys_for_archived(filled: BigQueryStore) -> None:
    run(filled, "UPDATE keys_distributions SET phase = 'placed' WHERE key != ''")
    assert kinds(filled.verify(repair=True)) == ["index"]
    assert filled.placements(DISTRIBUTIONS, [uuid(2)])[uuid(2)].archived
    assert filled.verify() == []


@pytest.mark.prove
def test_a_row_that_is_gone_is_named_and_can_be_written_again(filled: BigQueryStore) -> None:
    run(filled, "DELETE FROM audiences WHERE audience_id = @key", key=uuid(1))
    assert kinds(filled.verify()) == ["lost row"]
    filled.verify(repair=True)
    assert filled.upsert(AUDIENCES, frame(AUDIENCES, [full_audience(1)])).inserted == 1
    assert filled.verify() == []


@pytest.mark.prove
def test_a_row_changed_by_another_program_is_found_and_taken_as_it_is(filled: BigQueryStore) -> None:
    run(filled, "UPDATE audiences SET name = 'by hand' WHERE audience_id = @key", key=uuid(1))
    (found,) = filled.verify()
    assert (found.kind, "202505" in found.object, uuid(1) in found.found) == ("content", True, True)
    filled.verify(repair=True)
    assert filled.verify() == []
    assert stored(filled)[uuid(1)]["name"] == "by hand"


def test_what_no_upsert_would_have_stored_is_named(filled: BigQueryStore) -> None:
    put(filled, DISTRIBUTIONS, distribution_of("somebody", 7))
    run(filled, "UPDATE audiences SET status = 'busy' WHERE audience_id = @key", key=uuid(2))
    run(filled, "INSERT INTO audiences SELECT * FROM audiences WHERE audience_id = @key", key=uuid(1))
    columns = "user_id, created_at, landed_position, landed_at, landed_file, landed_digest"
    values = "'u', CURRENT_TIMESTAMP(), @position, CURRENT_TIMESTAMP(), 'f', 'd'"
    run(filled, f"INSERT INTO landed_users ({columns}) SELECT {values}", position=7 * 2**32 + 1)
    found = filled.verify()
    told = {each.kind: f"{each.object} {each.found}" for each in found}
    assert uuid(1) in told["duplicate key"]
    assert "audiences.status" in told["declaration"]
    assert "file 7" in told["landed records"]
    assert kinds(found).count("reference") == 2


def test_a_missing_fence_is_made_again(filled: BigQueryStore) -> None:
    run(filled, "DELETE FROM keys_users WHERE key = ''")
    assert kinds(filled.verify(repair=True)) == ["fence"]
    assert filled.verify() == []
    make_fences(filled.warehouse)
    assert filled.verify() == []


def test_a_table_that_differs_from_its_declaration_is_the_only_finding(filled: BigQueryStore) -> None:
    run(filled, "ALTER TABLE users DROP COLUMN email")
    try:
        (found,) = filled.verify()
        assert (found.kind, "email" in found.found) == ("schema", True)
    finally:
        run(filled, "ALTER TABLE users ADD COLUMN email STRING")
