"""An installation with sealed platforms of two tenants, and short ways to rotate its keys and see what is sealed."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.run import IngestReport, ingest_stream
from audience_pipeline.ingest.secrets import configured_keyset
from audience_pipeline.rotation.counting import Keys, count_keys
from audience_pipeline.rotation.rotating import Rotated, Rotation
from audience_pipeline.security import open_credentials
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.resealing import keys_of
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.storage.resealing import SealedText, sealed_texts
from audience_pipeline.tables import PLATFORMS
from audience_pipeline_tests.ingest.builders import NOW, Record, line, platform, settings_in

ANN, BEN = "ann", "ben/../ann"
REFUSED = 9
"""Number of a platform that is refused: it says it was created in the future."""


def secret(number: int) -> str:
    """Return the plaintext that platform ``number`` has."""
    return f"secret of {number}"


def sent(number: int, user_id: str = ANN, **changes: object) -> Record:
    """Return a platform as its owner sends it, in plaintext."""
    credentials = {"api_key": secret(number), "account_id": "a", "additional_config": {"token": secret(number)}}
    return platform(number, user_id=user_id, credentials=credentials, **changes)


@dataclass
class Vault:
    """One installation; ``clock`` may be moved."""

    store: TableStore
    settings: Settings
    now: datetime = NOW
    told: list[int] = field(default_factory=list)

    @classmethod
    def on_files(cls, directory: Path) -> "Vault":
        settings = settings_in(directory)
        return cls(ParquetStore(settings.data_dir, clock=lambda: NOW), settings)

    @property
    def landing(self) -> Landing:
        return Landing(self.store, self.settings, lambda: self.now)

    @property
    def keyset(self) -> Keyset:
        return configured_keyset(self.settings)

    def ingest(self, records: Iterable[Record]) -> IngestReport:
        """Send records through the pipe that seals them."""
        content = b"".join(line(record) + b"\n" for record in records)
        return ingest_stream(self.landing, PLATFORMS, io.BytesIO(content))

    def fill(self) -> "Vault":
        """Three platforms, one of them sent twice, and one that is refused."""
        self.ingest([sent(1), sent(2), sent(3, BEN), sent(1, name="newer", updated_at="2025-05-02T00:00:00Z")])
        self.ingest([sent(REFUSED, created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z")])
        return self

    def rotation(self) -> Rotation:
        return Rotation(self.store, self.settings, lambda: datetime.now(UTC), "test", self._note)

    def rotate(self) -> Rotated:
        return self.rotation().run()

    def _note(self, rotated: Rotated) -> None:
        self.told.append(rotated.resealed.total())

    def texts(self) -> list[SealedText]:
        return [text for portion in sealed_texts(self.store, PLATFORMS) for text in portion]

    def keys(self) -> set[str]:
        """Return the keys in use, in quarantine, too."""
        found = {key for text in self.texts() for key in keys_of(msgspec.json.decode(text.text))}
        records = self.landing.quarantine.records(PLATFORMS.name)
        return found.union(*(keys_of(msgspec.json.decode(record)["credentials"]) for record in records))

    def opened(self) -> set[tuple[str, str]]:
        """Return what the rows' secrets open to, with the platform they are of."""
        keyset = self.keyset
        return {
            (each.key, opened.reveal())
            for each in self.texts()
            for opened in open_credentials(
                msgspec.json.decode(each.text), user_id=each.user_id, platform_id=each.key, keyset=keyset
            ).values()
        }

    def counted(self) -> Keys:
        return count_keys(self.store, self.landing.quarantine, self.keyset)
