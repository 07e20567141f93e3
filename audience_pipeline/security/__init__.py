"""Keys, sealing and the proof of sealing: what keeps platform credentials out of every byte written."""

from audience_pipeline.security.checking import check_sealed, is_plaintext
from audience_pipeline.security.keyset import Keyset, load_keyset
from audience_pipeline.security.sealing import open_credentials, open_field, seal_platform
from audience_pipeline.security.secret import Secret

__all__ = [
    "Keyset",
    "Secret",
    "check_sealed",
    "is_plaintext",
    "load_keyset",
    "open_credentials",
    "open_field",
    "seal_platform",
]
