"""Files that appear whole or not at all."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, so that a reader or a crash never meets half a file."""
    scratch = path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as a compressed NumPy archive, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(path, buffer.getvalue())
