"""Which user ids are legal, and how one becomes a directory name without leaving its directory.

Belongs here: the rule both backends and landing share. Any non-empty text without null characters is legal (slashes,
dots, spaces, emoji): it is percent-encoded, so no value can name another path. The limit is what a file system allows
a name to have.
"""

from urllib.parse import quote, unquote

MAX_ENCODED_BYTES = 240
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def encode_user_id(user_id: str) -> str:
    """Percent-encode all but letters, digits and ``-._~``, as Hive readers and DuckDB's ``url_encode`` expect."""
    return quote(user_id, safe="")


def decode_user_id(encoded: str) -> str:
    """Return the user id a directory name stands for."""
    return unquote(encoded, errors="strict")


def user_id_problem(user_id: str) -> str | None:
    """Say what is wrong with ``user_id``, or None: the text fits "found ..."."""
    if not user_id:
        return "an empty text"
    if user_id == HIVE_NULL:
        return f"{HIVE_NULL}, which Hive readers take for null"
    if "\0" in user_id:
        return "a null character, at which databases end a text"
    try:
        encoded = encode_user_id(user_id)
    except UnicodeEncodeError:
        return "a lone surrogate"
    if len(encoded) > MAX_ENCODED_BYTES:
        return f"{len(encoded)} bytes once percent-encoded"
    return None
