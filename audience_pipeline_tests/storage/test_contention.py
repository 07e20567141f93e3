"""A writer that never gets its keys gives up with an error, and has written nothing."""

import pytest

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.storage.builders import audience, frame


def test_a_writer_whose_keys_others_keep_reserving_gives_up_and_can_be_run_again(
    parquet: ParquetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frame(AUDIENCES, [audience()])
    with monkeypatch.context() as patch:
        patch.setattr(State, "begin", lambda *_: False)
        with pytest.raises(ConflictError, match="audiences: found keys reserved by other writers"):
            parquet.upsert(AUDIENCES, rows)
    assert parquet.read(AUDIENCES).num_rows == 0
    assert parquet.upsert(AUDIENCES, rows).inserted == 1
