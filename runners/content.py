"""What a clip's file held when it was read: whether it is still the same one."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.catalog import file_of


@dataclass(frozen=True, slots=True)
class Content:
    """What a clip's file held when it was read.

    Attributes:
        size: Bytes, summed over an image folder.
        modified: Time of the last change, seconds since 1970.
        hash: BLAKE2b of the bytes; for an image folder, of the names and sizes.
    """

    size: int
    modified: float
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"size": self.size, "modified": self.modified, "hash": self.hash}


def content_of(path: Path, known: Content | None = None) -> Content | None:
    """What a clip's file holds now; None when it cannot be read.

    Args:
        path: A file, a folder of pictures, or one camera of a pose file.
        known: What it held before: a file of the same size and time is not read again.
    """
    path = file_of(path)
    try:
        if path.is_dir():
            return _folder_content(path)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
            return None
        if known and (known.size, known.modified) == (status.st_size, status.st_mtime):
            return known
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        return Content(status.st_size, status.st_mtime, digest.hexdigest())
    except OSError:
        return None


def unchanged(path: Path, known: Content | None) -> bool:
    """Whether a clip's file holds what it held before; its time of change alone says nothing."""
    now = content_of(path, known)
    if now is None or known is None:
        return now is known
    return (now.size, now.hash) == (known.size, known.hash)


def stamp_of(path: Path) -> str:
    """Short, and another one once a file, or one below a folder, has changed."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    digest = hashlib.blake2b(digest_size=8)
    for file in inside:
        try:
            status = file.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            place = os.fsencode(file.relative_to(path))
            digest.update(b"%s\0%d\0%d\n" % (place, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def _folder_content(folder: Path) -> Content:
    digest, size, modified = hashlib.blake2b(digest_size=16), 0, 0.0
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            status = entry.stat()
            digest.update(os.fsencode(entry.name) + b"\0%d\0" % status.st_size)
            size += status.st_size
            modified = max(modified, status.st_mtime)
    return Content(size, modified, digest.hexdigest())
