"""The run folder: every file that a run writes, and who may write it.

``results.jsonl`` grows by one line a clip, written through to the disk; a run that was cut off
goes on where it stopped. ``docs/records.md`` describes the files.
"""

import csv
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.formats.catalog import file_of
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.jsonl import dumps, read_lines
from dollygrip.runners.formats.maps import write_maps
from dollygrip.runners.formats.sheets import defused
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    read_trajectories,
    write_profiles,
    write_trajectories,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

RESULTS = "results.jsonl"
MANIFEST = "manifest.json"
PARQUET = "results.parquet"
CSV = "results.csv"
TRAJECTORIES = "trajectories"
PROFILES = "profiles"
MAPS = "maps"
LOCK = "run.lock"

_NO_RUN = "holds no run; make one with: dollygrip label CLIPS -o RUN"


class StoreError(Exception):
    """The run folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What is kept in memory of a record: enough to tell whether its clip must be done again.

    Attributes:
        offset: Where its line begins in ``results.jsonl``.
        path: The file as it was given.
        content: What the file held then; None when it could not be read.
        settings: Hashes of the estimator and the classifier with their settings.
        failed: It holds a failure instead of labels.
    """

    offset: int
    path: str
    content: "Content | None"
    settings: tuple[str, str]
    failed: bool


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


def finished(folder: Path) -> dict[str, Finished]:
    """The last record of each clip, by clip id, without the records themselves."""
    found: dict[str, Finished] = {}
    path = folder / RESULTS
    if not path.exists():
        return found
    for offset, data in read_lines(path):
        try:
            provenance = data["provenance"]
            content = provenance["content"]
            found[data["clip_id"]] = Finished(
                offset=offset,
                path=data["path"],
                content=None if content is None else Content(**content),
                settings=(provenance["estimator"]["hash"], provenance["classifier"]["hash"]),
                failed=data["failure"] is not None,
            )
        except (KeyError, TypeError):
            continue
    return found


def read_records(folder: Path) -> Iterator[ClipLabels]:
    """The last record of each clip, in the order of the file.

    Raises:
        StoreError: The folder holds no run, or a record of another schema version.
    """
    path = folder / RESULTS
    if not path.exists():
        raise StoreError(f"{folder} {_NO_RUN}")
    yield from records_at(folder, sorted(item.offset for item in finished(folder).values()))


def records_at(folder: Path, offsets: Iterable[int]) -> Iterator[ClipLabels]:
    """The records whose lines begin at ``offsets``.

    Raises:
        StoreError: One has another schema version.
    """
    with (folder / RESULTS).open("rb") as file:
        for offset in offsets:
            file.seek(offset)
            try:
                yield ClipLabels.from_dict(json.loads(file.readline()))
            except ValueError as error:
                raise StoreError(f"{folder / RESULTS}: {error}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the run was started with.

    Raises:
        StoreError: There is no manifest, or it is damaged.
    """
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise StoreError(f"{folder} {_NO_RUN}") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise StoreError(f"{folder / MANIFEST} cannot be read: it holds no object")
    return data


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


def write_tables(folder: Path) -> tuple[Path, Path]:
    """Write ``results.parquet`` and ``results.csv``, one row a clip; returns their paths."""
    from pyarrow.parquet import write_table

    rows = to_table(read_records(folder))
    parquet, table = folder / PARQUET, folder / CSV
    scratch = folder / f".{PARQUET}.tmp"
    write_table(rows, scratch)
    scratch.replace(parquet)
    scratch = folder / f".{CSV}.tmp"
    with scratch.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.column_names)
        for part in rows.to_batches(_ROWS_AT_ONCE):
            columns = (column.to_pylist() for column in part.columns)
            writer.writerows(map(defused, row) for row in zip(*columns, strict=True))
    scratch.replace(table)
    return parquet, table


def update_tables(folder: Path) -> None:
    """Write the tables unless they are newer than the last record."""
    tables = [folder / name for name in (PARQUET, CSV)]
    last = (folder / RESULTS).stat().st_mtime_ns
    if not all(path.exists() and path.stat().st_mtime_ns > last for path in tables):
        write_tables(folder)


def to_frame(records: Iterator[ClipLabels]) -> "pd.DataFrame":
    """Records as a data frame; the columns are those of :func:`to_table`."""
    import pandas as pd
    import pyarrow as pa

    kinds: dict[Any, Any] = {pa.bool_(): pd.BooleanDtype()}
    return to_table(records).to_pandas(types_mapper=kinds.get)


def to_table(records: Iterator[ClipLabels]) -> "pa.Table":
    """Records as a table: one row a clip.

    Columns: ``path``, ``clip_id``, ``failure``, ``failure_message``, ``trust``, ``caption``,
    ``duration`` in seconds, then for every label of the vocabulary ``LABEL`` (is it present;
    missing where the clip failed) and ``score_LABEL`` (0 to 1), then the attributes.
    """
    import pyarrow as pa

    kinds = {
        **_HEAD,
        **dict.fromkeys(BY_NAME, "bool"),
        **{f"score_{name}": "float64" for name in BY_NAME},
    }
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds.items()])
    parts = [pa.Table.from_batches([], schema)]
    # In parts, since rows as dicts take ten times the room of a table.
    while rows := [dumps(_row(record)) for record in islice(records, _ROWS_AT_ONCE)]:
        parts.append(_read_json("\n".join(rows).encode(), schema))
    return pa.concat_tables(parts, promote_options="permissive")


def _read_json(lines: bytes, schema: "pa.Schema") -> "pa.Table":
    """JSON lines as a table.

    To make an array of a list, pyarrow would load pandas, which takes longer than many a clip.
    """
    from pyarrow.json import ParseOptions, ReadOptions, read_json

    return read_json(
        BytesIO(lines),
        ReadOptions(use_threads=False, block_size=len(lines) + 1),
        ParseOptions(explicit_schema=schema),
    )


_ROWS_AT_ONCE = 5000
_HEAD = {
    "path": "string",
    "clip_id": "string",
    "failure": "string",
    "failure_message": "string",
    "trust": "float64",
    "caption": "string",
    "duration": "float64",
}


def _row(record: ClipLabels) -> dict[str, Any]:
    whole = record.whole
    failed = whole.failure is not None
    video = record.provenance.get("video") or {}
    head = (
        _encodable(record.path),
        record.clip_id,
        whole.failure.reason.value if whole.failure else None,
        _encodable(whole.failure.message) if whole.failure else None,
        whole.trust,
        whole.caption,
        video.get("duration"),
    )
    present = {name: None if failed else name in whole.labels for name in BY_NAME}
    scores = {f"score_{name}": whole.scores.get(name) for name in BY_NAME}
    return {
        **dict(zip(_HEAD, head, strict=True)),
        **present,
        **scores,
        **_flat(whole.attributes),
    }


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, keys joined by underscores; lists as JSON."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}_"))
        else:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list | tuple) else value
    return flat


def _encodable(text: str) -> str:
    """A file name that is not UTF-8 has bytes that no table can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _folder_content(folder: Path) -> Content:
    digest, size, modified = hashlib.blake2b(digest_size=16), 0, 0.0
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            status = entry.stat()
            digest.update(os.fsencode(entry.name) + b"\0%d\0" % status.st_size)
            size += status.st_size
            modified = max(modified, status.st_mtime)
    return Content(size, modified, digest.hexdigest())


def _locked(folder: Path) -> IO[bytes]:
    """Make the folder and take its lock, held until the file is closed or the process ends."""
    ours = (folder / LOCK).exists() or (folder / MANIFEST).exists()
    if not ours and folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not a run folder and not empty; give another with -o")
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
