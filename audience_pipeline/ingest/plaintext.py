"""Plaintext credentials: kept out of landing, and sealed where they come through a pipe.

Belongs here: finding them in files, and sealing streams in memory. Does not belong here: what counts as a secret
(:mod:`.secrets`), the format of sealed text. A file with plaintext stays where its sender put it and is copied nowhere:
none of it is landed if its credentials are plaintext, and only its other lines if a refused one may hold a secret. A
pipe has no such place, so its records are sealed as they pass, and what cannot be sealed is not kept.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from audience_pipeline.errors import PipelineError, RefusedError, SecurityError
from audience_pipeline.ingest import reasons
from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.lines import Block, Readable, blocks
from audience_pipeline.ingest.parsing import LINE, NotJsonError, parse
from audience_pipeline.ingest.records import RefusedRecordError
from audience_pipeline.ingest.secrets import is_declared, may_hold_secret
from audience_pipeline.ingest.sources import Source, identify, opened, waiting_paths
from audience_pipeline.ingest.walking import problems_of
from audience_pipeline.ingest.wire import wire_type
from audience_pipeline.security.checking import is_plaintext
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.sealing import seal_platform
from audience_pipeline.tables import PLATFORMS, SOURCES, Problem, Table


def require_sealed(table: Table, source: Source) -> None:
    """Read a file of a table with secrets to its end, before any of it is landed.

    Raises:
        SecurityError: a record in it has credentials in plaintext.
        StorageError: it cannot be read.
    """
    secrets = [column.name for column in table.columns if column.secret]
    with opened(source) as stream:
        for number, line in _lines(stream):
            if line is not None and _has_plaintext(line, secrets):
                raise _plaintext(source.path, number)


def require_harmless(table: Table, source: Source) -> None:
    """Read a file to its end before it is copied or moved anywhere.

    Raises:
        SecurityError: a line of it may hold a secret in plaintext.
        StorageError: it cannot be read.
    """
    with opened(source) as stream:
        for piece in blocks(stream, limit=reasons.MAX_LINE_BYTES):
            if not isinstance(piece, Block):
                if may_hold_secret(table, piece.head, None):
                    raise _doubtful(source.path, piece.number)
                continue
            for number, line in _numbered(piece):
                if line.strip() and may_hold_secret(table, line, _value(line)):
                    raise _doubtful(source.path, number)


def plaintext_files(landing_dir: Path) -> list[Path]:
    """Return the waiting files that may hold secrets in plaintext; those that cannot be read are left out."""
    waiting = [(table, path) for table in SOURCES for path in waiting_paths(landing_dir, table)]
    return [path for table, path in waiting if _is_harmful(table, path)]


def _is_harmful(table: Table, path: Path) -> bool:
    try:
        require_harmless(table, identify(path))
    except SecurityError:
        return True
    except PipelineError:
        return False
    return False


def sealed_lines(stream: Readable, keyset: Keyset) -> Iterator[bytes | RefusedLine]:
    """Yield each platform record of ``stream`` as a line with sealed credentials, or the refusal of what is none.

    Nothing of a refused line is kept. Empty lines come back empty, so that lines keep their numbers.
    """
    offset = 0
    for number, line in _lines(stream):
        if line is None:
            yield _withheld(number, offset, b"", [_too_long()])
            continue
        try:
            yield _sealed(line, keyset) if line.strip() else b""
        except NotJsonError as error:
            yield _withheld(number, offset, line, [error.problem])
        except RefusedRecordError as error:
            yield _withheld(number, offset, line, error.problems)
        except RefusedError as error:
            problem = Problem("credentials", "not_sealable", error.found, error.expected, error.remedy)
            yield _withheld(number, offset, line, [problem])
        offset += len(line) + 1


def _sealed(line: bytes, keyset: Keyset) -> bytes:
    record = parse(line)
    try:
        record = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        found = "a number that a double cannot hold, or JSON that cannot be read"
        raise NotJsonError(Problem(LINE, "out_of_range", found, "JSON", "Correct the record.")) from error
    if not isinstance(record, dict):
        raise NotJsonError(reasons.wrong_type(LINE, reasons.shown(None), "one JSON object"))
    sealed = seal_platform(record, keyset)
    if not is_declared(PLATFORMS, sealed):
        raise RefusedRecordError(_doubts(sealed))
    return msgspec.json.encode(sealed)


def _doubts(record: dict[str, Any]) -> Iterator[Problem]:
    """Yield what keeps a record from being written, though all that is declared a secret is sealed."""
    if is_plaintext(record.get("credentials")):
        found = "credentials that are sealed in part only"
        yield Problem("credentials", "not_sealable", found, "sealed ones, or plaintext ones", "Send all in plaintext.")
    else:
        yield from problems_of(msgspec.inspect.type_info(wire_type(PLATFORMS, bounded=False)), record, "")


def _withheld(number: int, offset: int, line: bytes, problems: Sequence[Problem]) -> RefusedLine:
    """Refuse a line of which nothing may be kept; the digest is of its place, since a secret's would invite guesses."""
    digest = hashlib.sha256(f"withheld {number} {problems}".encode()).hexdigest()
    return RefusedLine(number, offset, len(line), digest, tuple(problems))


def _too_long() -> Problem:
    limit = f"at most {reasons.MAX_LINE_BYTES:,} bytes"
    return Problem(LINE, "line_too_long", "a longer line", limit, "Send one record a line.")


def _lines(stream: Readable) -> Iterator[tuple[int, bytes | None]]:
    """Yield number and bytes of each line, None for one too long to hold."""
    for piece in blocks(stream, limit=reasons.MAX_LINE_BYTES):
        if not isinstance(piece, Block):
            yield piece.number, None
            continue
        yield from _numbered(piece)


def _numbered(block: Block) -> Iterator[tuple[int, bytes]]:
    lines = block.data.split(b"\n")
    yield from enumerate(lines if block.cut else lines[:-1], block.first)


def _has_plaintext(line: bytes, secrets: list[str]) -> bool:
    """Return whether a line is a record with plaintext; what is no JSON is refused later, and not kept either."""
    record = _value(line)
    return isinstance(record, dict) and any(is_plaintext(record.get(name)) for name in secrets)


def _value(line: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return parse(line)
    except NotJsonError:
        return None


def _plaintext(path: Path, number: int) -> SecurityError:
    return SecurityError(
        path,
        found=f"credentials in plaintext in line {number}",
        expected="records whose credentials are sealed",
        remedy="Pass the file through `audience-pipeline credentials seal`, land what comes out, and remove this file.",
    )


def _doubtful(path: Path, number: int) -> SecurityError:
    return SecurityError(
        path,
        found=f"line {number}, which was refused and may hold a secret in plaintext",
        expected="a file that can be kept as it is",
        remedy="Its accepted records landed. Correct the line, pass platforms through `audience-pipeline credentials"
        " seal`, land what comes out, and remove this file.",
    )
