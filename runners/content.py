"""What a clip's file held when it was read: whether it is still the same one."""

# Asked of each of a million clips; pathlib would take longer than the system does.
# ruff: noqa: PTH114, PTH116, PTH118, PTH123, PTH208

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.catalog import file_of

AnyPath = str | os.PathLike[str]

# A few seconds of reading. Longer files are rare, and one of a terabyte takes no room on the disk.
_MOST_BYTES = 8 * 2**30
# Of a longer one: parts from its head to its tail.
_PARTS = 64
_PART = 2**20


@dataclass(frozen=True, slots=True)
class Content:
    """What a clip's file held when it was read.

    Attributes:
        size: Bytes, summed over an image folder.
        modified: Time of the last change, seconds since 1970.
        hash: BLAKE2b of the bytes; for an image folder, of the names and sizes; for a file of more
            than 8 GiB, of 64 of its mebibytes and the time of its last change.
    """

    size: int
    modified: float
    hash: str

    def same_as(self, other: "Content | None") -> bool:
        """Whether the bytes are the same; the time of the change alone says nothing."""
        return other is not None and (self.size, self.hash) == (other.size, other.hash)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"size": self.size, "modified": self.modified, "hash": self.hash}


def content_of(path: AnyPath, known: Content | None = None) -> Content | None:
    """What a clip's file holds now; None when it cannot be read.

    Args:
        path: A file, a folder of pictures, or one camera of a pose file.
        known: What it held before: a file of the same size and time is not read again.
    """
    try:
        path, status = _found(path)
        if stat.S_ISDIR(status.st_mode):
            return _folder_content(path)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
            return None
        if known and (known.size, known.modified) == (status.st_size, status.st_mtime):
            return known
        return Content(status.st_size, status.st_mtime, _hash(path, status))
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None


def unchanged(path: AnyPath, known: Content | None) -> bool:
    """Whether a clip's file holds what it held before, or still cannot be read."""
    now = content_of(path, known)
    return known is None if now is None else now.same_as(known)


def stamp_of(path: AnyPath) -> str:
    """Short, and another one once a file, or one below a folder, has changed."""
    digest = hashlib.blake2b(digest_size=8)
    for file, place in _below(os.fspath(path)):
        try:
            status = os.stat(file)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode):
            digest.update(b"%s\0%d\0%d\n" % (place, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def _found(path: AnyPath) -> tuple[AnyPath, os.stat_result]:
    """The file, and what the system says of it."""
    try:
        return path, os.stat(path)
    except OSError:
        file = file_of(Path(path))
        return file, os.stat(file)


def _hash(path: AnyPath, status: os.stat_result) -> str:
    """Of a file's bytes; no more of them than it had when it was looked at."""
    digest = hashlib.blake2b(digest_size=16)
    # The parts differ where a file was written to in between; only its time tells then.
    if sampled := status.st_size > _MOST_BYTES:
        digest.update(b"%d\0%d\0" % (status.st_size, status.st_mtime_ns))
    with open(path, "rb", buffering=0) as file:
        if sampled:
            for number in range(_PARTS):
                file.seek((status.st_size - _PART) * number // (_PARTS - 1))
                digest.update(file.read(_PART))
        else:
            left = status.st_size
            while left and (part := file.read(min(left, _PART))):
                digest.update(part)
                left -= len(part)
    return digest.hexdigest()


def _folder_content(folder: AnyPath) -> Content:
    digest, size, modified = hashlib.blake2b(digest_size=16), 0, 0.0
    for name in sorted(os.listdir(folder)):
        try:
            status = os.stat(os.path.join(folder, name))
        except OSError:  # a link that leads nowhere, or in a circle
            continue
        if stat.S_ISREG(status.st_mode):
            digest.update(os.fsencode(name) + b"\0%d\0" % status.st_size)
            size += status.st_size
            modified = max(modified, status.st_mtime)
    return Content(size, modified, digest.hexdigest())


def _below(top: str) -> Iterator[tuple[str, bytes]]:
    """Everything below a folder and its place there, by name; a file is all there is of itself.

    Folders that are links, or that cannot be looked into, are passed over. Not ``Path.rglob``:
    deep folders end that.
    """
    waiting = [(top, b".")]
    while waiting:
        file, place = waiting.pop()
        yield file, place
        if place != b"." and os.path.islink(file):
            continue
        try:
            names = sorted(os.listdir(file), reverse=True)
        except (OSError, ValueError):
            continue
        inside = b"" if place == b"." else place + b"/"
        waiting += [(f"{file}/{name}", inside + os.fsencode(name)) for name in names]
