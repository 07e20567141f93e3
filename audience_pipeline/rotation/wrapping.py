"""The keyset's file brought under the key of a key management service, or from one key to another.

Belongs here: this one step. Does not belong here: the form of the file, or calling the service.
"""

from audience_pipeline.errors import SettingsError, UsageError
from audience_pipeline.ingest.secrets import configured_service
from audience_pipeline.security.keyfile import exclusive
from audience_pipeline.security.keyset import load_keyset, save_keyset
from audience_pipeline.security.kms import GoogleKms
from audience_pipeline.settings import Settings, variable


def wrap_keyset(settings: Settings, source: str | None) -> None:
    """Have the configured key wrap the keyset's file; ``source`` is the key that wraps it until now, None if none.

    The file is read back from its new form before it is replaced.

    Raises:
        UsageError: the keyset is not in a file.
        SettingsError: no key is configured, or the file is not wrapped as ``source`` says.
        UnavailableError: the service does not answer; the file is as it was.
    """
    service = configured_service(settings)
    if service is None:
        raise SettingsError(
            variable("kms_key_uri"),
            found="nothing",
            expected="the key that is to wrap the keyset",
            remedy="Set it to gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K.",
        )
    if settings.keyset_json is not None:
        raise UsageError(
            variable("keyset_json"),
            found="the keyset in the environment, which this process cannot change",
            expected="a keyset in a file",
            remedy=f"Put it into the file {variable('keyset')} names and unset the variable.",
        )
    former = None if source is None else GoogleKms(source, settings.kms_endpoint)
    with exclusive(settings.keyset):
        keyset = load_keyset(path=settings.keyset, json=None, data_dir=settings.data_dir, service=former)
        save_keyset(keyset, path=settings.keyset, data_dir=settings.data_dir, service=service)
