"""JSON that anybody may have written, read within bounds."""

import json
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.text import unrepeated

# All answers to CameraBench's 3,543 pairs take 4 MB and 90,000 pieces.
_MOST_BYTES = 64 * 2**20
# Of lists, objects and what stands in them; small ones take many times their length in memory.
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
    if sum(map(text.count, "[{,")) > _MOST_PIECES:
        raise ValueError(f"{path}: more than {_MOST_PIECES} values")
    try:
        return json.loads(text, object_pairs_hook=unrepeated)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: no JSON: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
