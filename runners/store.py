"""The run folder: every file that a run writes, and who may write it.

``results.jsonl`` grows by one line a clip, written through to the disk; a run that was cut off
goes on where it stopped. ``docs/records.md`` describes the files.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.formats.files import new_file, remove_scratch, write_atomically
from dollygrip.runners.formats.json_data import read_data
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.maps import maps_npz
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    profiles_npz,
    read_trajectories,
    trajectories_npz,
)

RESULTS = "results.jsonl"
MANIFEST = "manifest.json"
PARQUET = "results.parquet"
CSV = "results.csv"
TRAJECTORIES = "trajectories"
PROFILES = "profiles"
MAPS = "maps"
LOCK = "run.lock"

NO_RUN = "holds no run; make one with: dollygrip label CLIPS -o RUN"


class StoreError(Exception):
    """The run folder cannot be used; the message says why and what to do."""


class RunStore:
    """One run folder, open for writing by one process at a time.

    The lock is the system's (``flock``): it is free again when the process that holds it ends,
    however that comes about. On NFS it holds between machines, unless the folder is mounted with
    ``nolock`` or ``local_lock``; on a file system that has no locks, a folder is refused. Where
    locks hold on one machine only (some object stores mounted as folders), give each machine a
    run folder of its own.
    """

    def __init__(self, folder: str | os.PathLike[str], *, restart: bool = False) -> None:
        """Open a folder; how long that takes does not depend on how many records it has.

        Args:
            folder: Made when missing.
            restart: Forget what an earlier run left in it.

        Raises:
            StoreError: The folder is not a run folder, cannot be written, or another run is on it.
        """
        self.folder = Path(folder)
        with ExitStack() as undone, writing(self.folder):
            new = not self.folder.exists()
            self._lock = undone.enter_context(_locked(self.folder))
            if restart:
                _clear(self.folder)
            for name in (TRAJECTORIES, PROFILES):
                (self.folder / name).mkdir(exist_ok=True)
            if _was_killed(self._lock):
                _sweep(self.folder)
            _sign(self._lock)
            _drop_torn_line(self.folder / RESULTS)
            self._open_results()
            if new:
                sync_folder(self.folder.parent)
            undone.pop_all()

    def _open_results(self) -> None:
        # Without a buffer: what could not be written must not come after something else did.
        self._results = (self.folder / RESULTS).open("ab", buffering=0)
        self._end, self._torn = self._results.tell(), False
        sync_folder(self.folder)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let another run have the folder."""
        self._results.close()
        with suppress(OSError):
            self._lock.truncate(0)
        self._lock.close()

    def begin(self, manifest: dict[str, Any]) -> None:
        """Write the manifest: what this run was started with.

        Settings of earlier runs in this folder stay, by their hash, since records name them.

        Raises:
            StoreError: It cannot be written, or that of an earlier run is damaged.
        """
        path = self.folder / MANIFEST
        known = read_manifest(self.folder).get("settings", {}) if path.exists() else {}
        started = datetime.now(UTC).isoformat(timespec="seconds")
        data = {
            "format": "dollygrip run",
            "started": started,
            **manifest,
            "settings": {**known, **manifest.get("settings", {})},
        }
        with writing(self.folder):
            write_atomically(path, json.dumps(data, indent=2).encode() + b"\n")
            sync_folder(self.folder)

    def append(self, record: ClipLabels, motion: Mapping[str, bytes] | None = None) -> None:
        """Add one clip; it is on the disk when this returns.

        Its motion files come first, each whole or not at all. What can be cut off in between costs
        nothing: motion without its record is written again when the clip is. Not every file system
        keeps the order when the power fails, so that a record may lack its motion then: its labels
        are right all the same, and a plan that needs the motion looks whether it is there.

        Args:
            record: The record.
            motion: What :func:`motion_files` made of it; that which is stored stays when not given.

        Raises:
            StoreError: It cannot be written; what came before stays as it is.
        """
        line = dumps(record.to_dict()).encode() + b"\n"
        with writing(self.folder):
            if motion is not None:
                self._write_motion(f"{record.clip_id}.npz", motion)
            self._write_line(line)

    def _write_line(self, line: bytes) -> None:
        if self._torn:
            self._cut_back()
        self._torn = True
        try:
            left = memoryview(line)
            while left:
                left = left[self._results.write(left) :]
            os.fsync(self._results.fileno())
        except OSError:
            with suppress(OSError):
                self._cut_back()
            raise
        self._end, self._torn = self._end + len(line), False

    def _cut_back(self) -> None:
        """Take half a line away, so that the next does not stick to it."""
        self._results.truncate(self._end)
        self._torn = False

    def _write_motion(self, name: str, motion: Mapping[str, bytes]) -> None:
        for folder in (TRAJECTORIES, PROFILES, MAPS):
            path = self.folder / folder / name
            if folder in motion:
                path.parent.mkdir(exist_ok=True)
                write_atomically(path, motion[folder])
            else:
                path.unlink(missing_ok=True)

    def replace_all(self, records: Iterator[ClipLabels]) -> Iterator[ClipLabels]:
        """Put new records in place of the old ones, all or none; yields each as it is written.

        Raises:
            StoreError: They cannot be written.
        """
        with writing(self.folder):
            with new_file(self.folder / RESULTS) as file:
                for record in records:
                    file.write(dumps(record.to_dict()).encode() + b"\n")
                    yield record
            self._results.close()
            self._open_results()


def motion_files(shots: Sequence[ShotMotion]) -> dict[str, bytes]:
    """The motion of a clip as the files that a run keeps of it, each by its folder."""
    if not shots:
        return {}
    files = {TRAJECTORIES: trajectories_npz(shots), PROFILES: profiles_npz(shots)}
    if any(shot.maps for shot in shots):
        files[MAPS] = maps_npz([shot.maps for shot in shots])
    return files


def read_motion(folder: Path, clip_id: str) -> tuple[ShotMotion, ...]:
    """The stored motion of a clip.

    Raises:
        ValueError: There is none, or it is damaged.
    """
    return read_trajectories(folder / TRAJECTORIES / f"{clip_id}.npz")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the run was started with.

    Raises:
        StoreError: There is no manifest, or it is damaged.
    """
    try:
        data = read_data(folder / MANIFEST)
    except FileNotFoundError as error:
        raise StoreError(f"{folder} {NO_RUN}") from error
    except (OSError, ValueError) as error:
        raise _damaged(folder / MANIFEST, error) from error
    if not isinstance(data, dict) or not isinstance(data.get("settings", {}), dict):
        raise _damaged(folder / MANIFEST, "it holds no object with settings")
    return data


def _damaged(manifest: Path, why: object) -> StoreError:
    return StoreError(
        f"{manifest} cannot be read: {why}; delete it, and label the clips again to make a new "
        "one: no record is lost"
    )


def clip_id_of(path: Path, root: Path) -> str:
    """A file name that tells clips apart: the clip's stem and a hash of its place below ``root``.

    Safe whatever the clip is called: letters, digits, ``-`` and ``_`` only, at most 60 long.
    """
    # Not with pathlib, which takes longer for this than the file system for the file.
    place = os.fspath(path)
    name = place.removeprefix(os.path.join(root, ""))  # noqa: PTH118
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # no file is called so, but somebody may ask for it
        encoded = name.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(encoded, digest_size=5).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", path.stem).strip("-")[:48]
    return f"{stem}-{digest}" if stem else digest


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Says what is wrong where a run folder cannot be written, and what to do.

    Raises:
        StoreError: It cannot.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        if error.errno in _FULL:
            raise StoreError(
                f"disk full: cannot write to {folder} ({said}); what is finished is kept; free "
                "space and run the same command again"
            ) from error
        raise StoreError(f"cannot write to {folder}: {said}") from error


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


def sync_folder(folder: Path) -> None:
    """Have the names of new files in a folder outlast a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Not every file system lets a folder be synced; those that do not need no asking.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _locked(folder: Path) -> IO[bytes]:
    """Make the folder and take its lock, held until the file is closed or the process ends."""
    filled = folder.exists() and any(folder.iterdir())
    # In this order: the lock comes first, so that another run may be making the folder meanwhile.
    if filled and not ((folder / LOCK).exists() or (folder / MANIFEST).exists()):
        raise StoreError(f"{folder} is not a run folder and not empty; give another with -o")
    for name in (LOCK, RESULTS, MANIFEST, PARQUET, CSV, TRAJECTORIES, PROFILES, MAPS):
        # A link would have what is written land elsewhere, a pipe would be waited for.
        there = folder / name
        if there.is_symlink() or (there.exists() and not (there.is_file() or there.is_dir())):
            raise StoreError(f"{there} is a link or no regular file; give another folder with -o")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise StoreError(f"no folder can be called {str(folder)!r}: {error}") from error
    lock = (folder / LOCK).open("ab+", buffering=0)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _signature(lock)
        lock.close()
        raise StoreError(
            f"another run is writing to {folder}{f' ({holder})' if holder else ''}; wait for it, "
            "or give another folder with -o"
        ) from error
    except OSError as error:
        lock.close()
        if error.errno in _NO_LOCKS:
            raise StoreError(
                f"{folder} is on a file system without locks; give a folder on another with -o"
            ) from error
        raise
    return lock


def _sign(lock: IO[bytes]) -> None:
    """Say in the lock file who holds it, for whoever finds it held."""
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    with suppress(OSError):
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {os.uname().nodename} since {since}".encode())


def _signature(lock: IO[bytes]) -> str:
    """Who holds the lock; empty when nobody said so."""
    try:
        lock.seek(0)
        said = lock.read(200).decode(errors="replace")
    except OSError:
        return ""
    return "".join(c for c in said if c.isprintable())


def _was_killed(lock: IO[bytes]) -> bool:
    """Whether the last run did not come to the end where it takes its name from the lock."""
    return bool(_signature(lock))


def _sweep(folder: Path) -> None:
    """Remove what a killed run was writing."""
    for part in (folder, *(folder / name for name in (TRAJECTORIES, PROFILES, MAPS))):
        if part.is_dir():
            remove_scratch(part)


def _clear(folder: Path) -> None:
    """Remove what a run writes and nothing else."""
    for name in (RESULTS, MANIFEST, PARQUET, CSV):
        (folder / name).unlink(missing_ok=True)
    for name in (TRAJECTORIES, PROFILES, MAPS):
        shutil.rmtree(folder / name, ignore_errors=True)


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line without an end: its clip is done again."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        keep = end
        while keep > 0:
            start = max(0, keep - 65536)
            file.seek(start)
            newline = file.read(keep - start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < end:
            file.truncate(keep)
