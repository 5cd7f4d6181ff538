"""JSON lines that any program can read: strict numbers, ASCII, one object a line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.files import open_regular

LONGEST_LINE = 64 * 2**20
"""Bytes: a clip of 8,000 shots takes 20 MB."""
# Of lists, objects and what stands in them: small ones take many times their length once read.
_MOST_PIECES = 4_000_000


def plain(value: Any) -> Any:
    """The same data in JSON's own types: numpy unwrapped, NaN and infinity as None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy
        return plain(value.tolist())
    return str(value)


def dumps(data: dict[str, Any]) -> str:
    """One line of JSON without its newline; file names that are not UTF-8 survive as escapes."""
    return json.dumps(plain(data), allow_nan=False, separators=(",", ":"))


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the byte offset of each line.

    A line that is torn or no object (a crash, a full disk), or far beyond what any clip has to
    say, is passed over.

    Raises:
        OSError: The file cannot be read, or is a pipe or device.
    """
    for offset, line in whole_lines(path):
        data = parsed(line)
        if data is not None:
            yield offset, data


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that have an end and are not too long, with the byte offset of each.

    Raises:
        OSError: The file cannot be read, or is a pipe or device.
    """
    offset, begun = 0, True
    with open_regular(path) as file:
        while line := file.readline(LONGEST_LINE):
            ended = line.endswith(b"\n")
            if begun and ended:
                yield offset, line
            offset += len(line)
            begun = ended


def parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None where it holds none, or a bomb."""
    if sum(map(line.count, (b"[", b"{", b","))) > _MOST_PIECES:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
