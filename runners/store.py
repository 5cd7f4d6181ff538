"""The run folder: every file that a run writes, and who may write it.

``results.jsonl`` grows by one line a clip, written through to the disk; a run that was cut off
goes on where it stopped. ``docs/records.md`` describes the files.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.json_data import read_data
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.maps import write_maps
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    read_trajectories,
    write_profiles,
    write_trajectories,
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
    """One run folder, open for writing by one process at a time."""

    def __init__(self, folder: str | os.PathLike[str], *, restart: bool = False) -> None:
        """Open a folder.

        Args:
            folder: Made when missing.
            restart: Forget what an earlier run left in it.

        Raises:
            StoreError: The folder is not a run folder, cannot be written, or another run is on it.
        """
        self.folder = Path(folder)
        try:
            self._lock = _locked(self.folder)
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder}: {error.strerror}") from error
        if restart:
            _clear(self.folder)
        for name in (TRAJECTORIES, PROFILES):
            (self.folder / name).mkdir(exist_ok=True)
        _drop_torn_line(self.folder / RESULTS)
        self._results = (self.folder / RESULTS).open("ab")

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let another run have the folder."""
        self._results.close()
        self._lock.close()

    def begin(self, manifest: dict[str, Any]) -> None:
        """Write the manifest: what this run was started with.

        Settings of earlier runs in this folder stay, by their hash, since records name them.
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
        write_atomically(path, json.dumps(data, indent=2).encode() + b"\n")

    def append(self, record: ClipLabels, shots: Sequence[ShotMotion] | None = None) -> None:
        """Add one clip: its motion files first, so that a record never lacks them.

        Args:
            record: The record.
            shots: The motion; that which is stored stays when not given.
        """
        if shots is not None:
            self._write_motion(f"{record.clip_id}.npz", shots)
        self._results.write(dumps(record.to_dict()).encode() + b"\n")
        self._results.flush()
        os.fsync(self._results.fileno())

    def _write_motion(self, name: str, shots: Sequence[ShotMotion]) -> None:
        for folder, write in ((TRAJECTORIES, write_trajectories), (PROFILES, write_profiles)):
            if shots:
                write(self.folder / folder / name, shots)
            else:
                (self.folder / folder / name).unlink(missing_ok=True)
        maps = self.folder / MAPS
        if any(shot.maps for shot in shots):
            maps.mkdir(exist_ok=True)
            write_maps(maps / name, [shot.maps for shot in shots])
        else:
            (maps / name).unlink(missing_ok=True)

    def replace_all(self, records: Iterator[ClipLabels]) -> Iterator[ClipLabels]:
        """Put new records in place of the old ones, all or none; yields each as it is written."""
        scratch = self.folder / f".{RESULTS}.tmp"
        scratch.unlink(missing_ok=True)  # it may be a link
        try:
            with scratch.open("wb") as file:
                for record in records:
                    file.write(dumps(record.to_dict()).encode() + b"\n")
                    yield record
                file.flush()
                os.fsync(file.fileno())
            self._results.close()
            scratch.replace(self.folder / RESULTS)
        finally:
            scratch.unlink(missing_ok=True)
        self._results = (self.folder / RESULTS).open("ab")


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
        raise StoreError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("settings", {}), dict):
        raise StoreError(f"{folder / MANIFEST} cannot be read: it holds no object with settings")
    return data


def clip_id_of(path: Path, root: Path) -> str:
    """A file name that tells clips apart: the clip's stem and a hash of its place below ``root``.

    Safe whatever the clip is called: letters, digits, ``-`` and ``_`` only, at most 60 long.
    """
    try:
        place = path.relative_to(root)
    except ValueError:
        place = path
    digest = hashlib.blake2b(os.fsencode(place), digest_size=5).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", path.stem).strip("-")[:48]
    return f"{stem}-{digest}" if stem else digest


def _locked(folder: Path) -> IO[bytes]:
    """Make the folder and take its lock, held until the file is closed or the process ends."""
    ours = (folder / LOCK).exists() or (folder / MANIFEST).exists()
    if not ours and folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not a run folder and not empty; give another with -o")
    for name in (LOCK, RESULTS, MANIFEST, PARQUET, CSV, TRAJECTORIES, PROFILES, MAPS):
        # A link would have what is written land elsewhere, a pipe would be waited for.
        there = folder / name
        if there.is_symlink() or (there.exists() and not (there.is_file() or there.is_dir())):
            raise StoreError(f"{there} is a link or no regular file; give another folder with -o")
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StoreError(f"another run is writing to {folder}; wait for it or give -o") from error
    return lock


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
