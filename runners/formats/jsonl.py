"""JSON lines that any program can read: strict numbers, ASCII, one object a line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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

    A line that is torn or no object (a crash, a full disk) is passed over.
    """
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                try:
                    data = json.loads(line)
                except (ValueError, RecursionError):
                    data = None
                if isinstance(data, dict):
                    yield offset, data
            offset += len(line)
