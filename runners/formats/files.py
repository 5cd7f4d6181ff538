"""Files that appear whole or not at all; files that are read only where they are files."""

import errno
import io
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

# Bytes: a line of a run's records is longer than what Python reads at once.
_BUFFER = 2**18


def open_regular(path: Path) -> IO[bytes]:
    """Open a file to read it.

    Raises:
        OSError: It cannot be read, or is a pipe or device, which could be waited for for ever.
    """
    file = open(path, "rb", _BUFFER, opener=lambda name, way: os.open(name, way | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file", os.fspath(path))
    return file


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into, which becomes ``path`` once it is on the disk, or not at all."""
    scratch = _scratch(path)
    try:
        scratch.unlink(missing_ok=True)
        with scratch.open("xb") as file:  # not through a link that lies in wait
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, so that a reader or a crash never meets half a file."""
    with new_file(path) as file:
        file.write(data)


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Arrays by name as a compressed NumPy archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as a compressed NumPy archive, whole or not at all."""
    write_atomically(path, npz(arrays))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which becomes ``path`` with all that is in it, or not at all.

    Raises:
        ValueError: There is a folder at ``path`` already that is not empty.
    """
    held = min((found.name for found in path.iterdir()), default=None) if path.is_dir() else None
    if held is not None:
        raise ValueError(f"holds {held!r}; only a new or an empty folder is written to")
    scratch = _scratch(path)
    scratch.mkdir()
    try:
        yield scratch
        for file in scratch.rglob("*"):
            if file.is_file():
                with file.open("rb") as written:
                    os.fsync(written.fileno())
        scratch.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_scratch(folder: Path) -> None:
    """Remove what processes left in a folder that were killed while they wrote a file there."""
    with os.scandir(folder) as entries:
        left = [entry.name for entry in entries if _SCRATCH.fullmatch(entry.name)]
    for name in left:
        (folder / name).unlink()


def _scratch(path: Path) -> Path:
    """A place beside ``path``, where nobody looks for a result."""
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.tmp")


_SCRATCH = re.compile(r"\..+\.[0-9]+\.tmp", re.DOTALL)
