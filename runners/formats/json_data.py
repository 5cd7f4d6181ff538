"""JSON that anybody may have written, read within bounds."""

import json
from pathlib import Path
from typing import Any

# All answers to CameraBench's 3,543 pairs take 4 MB and 90,000 pieces.
_MOST_BYTES = 64 * 2**20
# Of lists, objects and what stands in them.
_MOST_PIECES = 4_000_000


def read_data(path: Path) -> Any:
    """The data of a JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, no regular file, no text, no JSON, nested too deeply, or says
            a thing twice; one line that names the file.
    """
    # Pipes and devices would be waited for.
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: no regular file")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{path}: more than {_MOST_BYTES // 2**20} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start})") from error
    return parse(path, text, _MOST_PIECES)


def parse(path: Path, text: str, most: int) -> Any:
    """The data in JSON text.

    Args:
        path: Of the file, for messages.
        text: What it holds.
        most: Lists, objects and values that it may have: small ones take many times their length
            once they are read.

    Raises:
        ValueError: It has more, is no JSON, nested too deeply, or says a thing twice; one line
            that names the file.
    """
    if sum(map(text.count, "[{,")) > most:
        raise ValueError(f"{path}: more lists and numbers than are read, more than {most} values")
    try:
        return json.loads(text, object_pairs_hook=unrepeated)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: no JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for ``object_pairs_hook``.

    Raises:
        ValueError: It says a thing twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"an object has {key[:40]!r} twice")
        found[key] = value
    return found
