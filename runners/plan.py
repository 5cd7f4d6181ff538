"""What there is to do for some clips, and what a run has done already."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from dollygrip.classifiers.labels import NO_LABEL
from dollygrip.runners.content import content_of, unchanged
from dollygrip.runners.inputs import Finder, Found, Shard, pose_finder
from dollygrip.runners.ledger import (
    FINISHED,
    Finished,
    Ledger,
    database_errors,
    to_bytes,
    to_finished,
    to_text,
)
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.store import TRAJECTORIES, clip_id_of
from dollygrip.runners.video import find_clips

AnyPath = str | os.PathLike[str]
POSES = "poses"
"""The estimator whose inputs are pose files, where it is given none beside the clips."""

_TABLES = """
CREATE TABLE clip (
    number INTEGER PRIMARY KEY,
    place BLOB UNIQUE,
    path BLOB,
    name TEXT,
    ours INTEGER
);
CREATE TABLE planned (
    number INTEGER PRIMARY KEY,
    clip_id TEXT UNIQUE,
    state INTEGER,
    offset INTEGER
);
"""


class _State(IntEnum):
    UNDONE = 0
    KEPT = 1
    MOTION_KEPT = 2


class Plan:
    """What there is to do for some clips; a context manager.

    Takes the same memory for a million clips as for ten thousand: they are in a temporary file,
    which goes when the plan is closed.

    Attributes:
        found: Clips that the inputs mean, of all shards.
        kept: Clips of which the run has records that are still right.
        motion_kept: Clips of which it has records whose motion is still right, but not their
            classifier.
        todo: Clips to label.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Take over a ledger with the tables of a plan; see :func:`make_plan`."""
        self._ledger = ledger
        self._database = ledger.database
        self.found = int(self._database.execute("SELECT count(*) FROM clip").fetchone()[0])
        counts: dict[int, int] = dict(
            self._rows("SELECT state, count(*) FROM planned GROUP BY state")
        )
        self.todo, self.kept, self.motion_kept = (counts.get(state, 0) for state in _State)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Remove the temporary file."""
        self._ledger.close()

    @property
    def total(self) -> int:
        """Number of clips, of this shard."""
        return self.kept + self.motion_kept + self.todo

    def kept_offsets(self) -> Iterator[int]:
        """Where records begin that are still right, in the order of ``results.jsonl``."""
        return self._offsets(_State.KEPT)

    def motion_kept_offsets(self) -> Iterator[int]:
        """Where records begin whose motion is still right, in the order of ``results.jsonl``."""
        return self._offsets(_State.MOTION_KEPT)

    def tasks(self) -> Iterator[Task]:
        """The clips to label, in the order of the inputs."""
        query = (
            "SELECT path, clip_id FROM planned JOIN clip USING (number) WHERE state = ?"
            " ORDER BY number"
        )
        for path, clip_id in self._rows(query, _State.UNDONE):
            yield Task(to_text(path), clip_id)

    def kept_summary(self) -> tuple[Counter[str], Counter[str]]:
        """Clips by label, and failed ones by reason, of the records that are still right."""
        labels: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        query = (
            "SELECT labels, failure, count(*) FROM planned JOIN record USING (offset)"
            " WHERE state = ? GROUP BY labels, failure"
        )
        for named, failure, clips in self._rows(query, _State.KEPT):
            if failure is not None:
                failures[failure] += clips
                continue
            for label in (named or NO_LABEL).split(","):
                labels[label] += clips
        return labels, failures

    def _offsets(self, state: _State) -> Iterator[int]:
        query = "SELECT offset FROM planned WHERE state = ? ORDER BY offset"
        for (offset,) in self._rows(query, state):
            yield offset

    def _rows(self, query: str, *values: Any) -> Iterator[Any]:
        with database_errors():
            # Not "yield from": left half-way it closes its cursor, which may come after the plan.
            for row in self._database.execute(query, values):  # noqa: UP028
                yield row


def make_plan(
    found: Iterable[Found],
    recipe: Recipe,
    run: AnyPath | None = None,
    *,
    retry_failed: bool = False,
    shard: Shard | None = None,
) -> Plan:
    """Look at some clips, and at which of them a run has records of.

    Args:
        found: The clips; one that comes twice counts once.
        recipe: How they are to be labelled.
        run: The run folder to go on with.
        retry_failed: Failed records do not count.
        shard: The part of the clips to label. Their names do not depend on it.

    Raises:
        StoreError: The records of the run cannot be read, or there is no room for the plan.
    """
    folder = None if run is None else Path(run)
    ledger = Ledger(folder)
    try:
        with database_errors():
            ledger.database.executescript(_TABLES)
            _list(ledger, found, shard)
            _decide(ledger, folder, recipe, retry_failed)
        return Plan(ledger)
    except BaseException:
        ledger.close()
        raise


def finder(recipe: Recipe) -> Finder:
    """What finds the clips below an input: pose files where they are read without a video."""
    settings = recipe.estimator.settings
    if recipe.estimator.name == POSES and not settings["poses"]:
        return pose_finder(settings["format"] or None)
    return find_clips


def _list(ledger: Ledger, clips: Iterable[Found], shard: Shard | None) -> None:
    """Each clip once, with the name that its place below its input gives it."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for found in clips:
            path = os.fspath(found.path)
            ours = shard is None or shard.has(found)
            yield _place(path), to_bytes(path), clip_id_of(found.path, found.root), ours

    columns = "clip (place, path, name, ours)"
    ledger.database.execute("BEGIN")
    ledger.database.executemany(f"INSERT OR IGNORE INTO {columns} VALUES (?, ?, ?, ?)", rows())
    # Now, for it takes longer to add to it one by one.
    ledger.database.execute("CREATE INDEX clip_by_name ON clip (name)")
    ledger.database.execute("COMMIT")


def _decide(
    ledger: Ledger,
    run: Path | None,
    recipe: Recipe,
    retry_failed: bool,
) -> None:
    """What is to be done with each clip, under which name."""
    database = ledger.database
    clips = database.execute(
        f"SELECT number, place, clip.path, name, {FINISHED.replace('path', 'record.path')},"
        " EXISTS (SELECT 1 FROM clip AS other"
        "         WHERE other.name = clip.name AND other.number != clip.number)"
        " FROM clip LEFT JOIN record ON record.clip_id = name WHERE ours ORDER BY number"
    )
    hashes = recipe.hashes
    database.execute("BEGIN")
    for number, place, encoded, name, *row, shared in clips:
        path = to_text(encoded)
        record = None if row[0] is None else to_finished(tuple(row))
        for clip_id, known in _names(ledger, path, place, name, record, shared):
            state = _state(path, known, hashes, retry_failed)
            if state is _State.MOTION_KEPT and not _has_motion(run, clip_id, known):
                state = _State.UNDONE
            offset = None if known is None or state is _State.UNDONE else known.offset
            added = database.execute(
                "INSERT OR IGNORE INTO planned VALUES (?, ?, ?, ?)",
                (number, clip_id, state, offset),
            )
            if added.rowcount:
                break
    database.execute("COMMIT")


def _names(
    ledger: Ledger, path: str, place: bytes, name: str, record: Finished | None, shared: bool
) -> Iterator[tuple[str, Finished | None]]:
    """Names that a clip may have in the run, best first, and what the run has under each.

    The name that comes from the clip's place below its input lets a folder move. Where several
    clips have a claim to it (inputs with the same file names), it is that one's which the run
    knows by it; the others are named after their whole path. So neither the order nor the shard
    tells which is which.
    """
    if not shared and not len(ledger):  # as all clips of a new run
        yield name, None
    if record is not None and (record.path == path or _place(record.path) == place):
        yield name, record
    whole = Path(os.path.abspath(path))  # noqa: PTH100
    long = clip_id_of(whole, Path(whole.anchor))
    of_whole = ledger.get(long)
    if of_whole is None and (not shared if record is None else _is_moved(path, record)):
        yield name, record
    yield long, of_whole
    # Somebody made names with the same hash.
    yield place.hex(), ledger.get(place.hex())


def _is_moved(path: str, record: Finished) -> bool:
    """Whether a record under a clip's name, but with another path, is the clip's own.

    Not where that path leads to another file: then this one is a copy, or has the same name.
    """
    try:
        return os.path.samefile(path, record.path)  # noqa: PTH121
    except (OSError, ValueError):
        return unchanged(path, record.content)


def _state(
    path: str, record: Finished | None, hashes: tuple[str, str], retry_failed: bool
) -> _State:
    if (
        record is None
        or record.settings[0] != hashes[0]
        or (record.failure is not None and retry_failed)
    ):
        return _State.UNDONE
    now = content_of(path, record.content)
    # A file that is gone, or on a disk that is not there now, would only lose its labels.
    if now is not None and not now.same_as(record.content):
        return _State.UNDONE
    return _State.KEPT if record.settings[1] == hashes[1] else _State.MOTION_KEPT


def _has_motion(run: Path | None, clip_id: str, record: Finished | None) -> bool:
    """Whether a clip's motion is stored, where it ever had one."""
    if run is None or record is None:
        return False
    return record.failure is not None or (run / TRAJECTORIES / f"{clip_id}.npz").is_file()


def _place(path: str) -> bytes:
    """What tells one file from another, however it is spelt: short, since there may be millions."""
    return blake2b(os.fsencode(os.path.abspath(path)), digest_size=16).digest()  # noqa: PTH100
