"""Whether an accepted line repeats a key of an object, mostly told without parsing it a second time.

Belongs here: that one question. msgspec lets the last of two equal keys win, and a parser that refuses them costs more
than all other work on a line. But encoded again, such a record has fewer keys than its line.

Keys are counted by their colons. Text may contain those too, and counts alike on both sides unless the line escapes
one. Then, or where the counts differ (null members are not encoded, for one), the parser decides.
"""

import re

import jiter
import msgspec

_encode = msgspec.json.Encoder().encode
_ESCAPED_COLON = re.compile(rb"\\u003[aA]")


def repeats_a_key(line: bytes, record: msgspec.Struct) -> bool:
    """Return whether ``line``, which decodes to ``record``, has an object with the same key twice."""
    escaped = b"\\u00" in line and _ESCAPED_COLON.search(line)
    if escaped or line.count(b":") != _encode(record).count(b":"):
        try:
            jiter.from_json(line, catch_duplicate_keys=True, cache_mode="keys")
        except ValueError:
            return True
    return False
