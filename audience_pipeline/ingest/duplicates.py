"""Whether an accepted line repeats a key of an object, mostly told without parsing it a second time.

Belongs here: that one question. msgspec lets the last of two equal keys win, and a parser that refuses them costs more
than all other work on a line. But written again, such a record has fewer keys than its line.

Keys are counted by their colons. Text may contain those too, and counts alike on both sides unless the line escapes
one. Then, or where the counts differ (null members deep inside are not written again), the parser decides.
"""

import re

import jiter

_ESCAPED_COLON = re.compile(rb"\\u003[aA]")


def repeats_a_key(line: bytes, colons: int) -> bool:
    """Return whether ``line``, which has ``colons`` when it is written again, has an object with the same key twice."""
    escaped = b"\\" in line and _ESCAPED_COLON.search(line)
    if not escaped and line.count(b":") == colons:
        return False
    try:
        jiter.from_json(line, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError:
        return True
    return False
