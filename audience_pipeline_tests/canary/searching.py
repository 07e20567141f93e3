"""The search: a secret in every form somebody might write it in, in every file, and inside compressed columns."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq


def forms(secret: str) -> dict[str, bytes]:
    """Return the forms of a secret by name.

    Base64 is searched for at each of its three alignments, without the characters that depend on what is beside it.
    """
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    found = {
        "plain": raw,
        "JSON": escaped.encode(),
        "JSON with escaped slashes": escaped.replace("/", "\\/").encode(),
        "JSON in JSON": json.dumps(escaped)[1:-1].encode(),
        "URL": quote(secret, safe="").encode(),
        "URL of a path": quote(secret).encode(),
        "URL of a form": quote_plus(secret).encode(),
        "Python": repr(secret)[1:-1].encode(),
        "hex": raw.hex().encode(),
        "UTF-16": secret.encode("utf-16-le"),
    }
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[shift + 1 if shift else 0 : len(whole) - 4].rstrip(b"=")
        found[f"base64 at {shift}"] = inner
        found[f"base64 for URLs at {shift}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


def leaks(directory: Path, secrets: Iterable[str], *, apart_from: Iterable[Path] = ()) -> list[tuple[str, str]]:
    """Return file and form of each secret found below ``directory``."""
    searched = {f"{name} of {secret!r}": form for secret in secrets for name, form in forms(secret).items()}
    apart = set(apart_from)
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path not in apart:
            for content in _contents(path):
                found += [
                    (str(path.relative_to(directory)), name) for name, form in searched.items() if form in content
                ]
            found += [
                (str(path.relative_to(directory)), name) for name, form in searched.items() if form in _name(path)
            ]
    return found


def _name(path: Path) -> bytes:
    return str(path).encode()


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        yield repr(file.metadata.metadata).encode()
        for column in file.read().columns:
            yield json.dumps(column.to_pylist(), default=str, ensure_ascii=False).encode()
            yield "\n".join(map(str, column.to_pylist())).encode()
