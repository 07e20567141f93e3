"""Verify names what is wrong with landed records, and what is left to do with them."""

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.storage.builders import full_audience, put
from audience_pipeline_tests.storage.test_contract_landing import land


def test_files_that_landed_and_were_not_folded_are_named_a_table(parquet: ParquetStore) -> None:
    folded, *_ = [land(parquet, f"d{number}", full_audience(number)) for number in range(3)]
    put(parquet, AUDIENCES, *(full_audience(number) for number in range(3)))
    parquet.landing.mark_folded([folded], {})
    (finding,) = parquet.verify()
    assert (finding.kind, finding.object, finding.harmless) == ("unfolded", "landed_audiences", True)
    assert "2 landed files whose records are not known to be in audiences (first: d1.ndjson)" in finding.found
    assert "audience-pipeline refold audiences" in finding.remedy


def test_a_landed_part_the_ledger_does_not_list_is_found(parquet: ParquetStore) -> None:
    part = parquet.root / "landed_users" / "00000007-000000-0.parquet"
    part.parent.mkdir()
    part.write_bytes(b"garbage")
    assert [(finding.kind, finding.object) for finding in parquet.verify()] == [("landed part", str(part))]
