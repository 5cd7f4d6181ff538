"""What a run has records of, without holding them: an index of ``results.jsonl`` on the disk.

``results.jsonl`` is the only truth. The index is made by reading it once, in a temporary file that
no other process sees and that goes with this one; so there is nothing that could get out of step,
and nothing that a file system on the network would have to lock.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.content import Content
from dollygrip.runners.formats.files import open_regular
from dollygrip.runners.formats.jsonl import LONGEST_LINE, parsed, whole_lines
from dollygrip.runners.store import NO_RUN, RESULTS, StoreError

if TYPE_CHECKING:
    import sqlite3

# SQLite holds this much of the index in memory, however long it is.
_CACHE_KIB = 8192
_LARGEST = 2**63 - 1

_TABLE = """
CREATE TABLE record (
    offset INTEGER PRIMARY KEY,
    clip_id TEXT UNIQUE,
    path BLOB,
    size INTEGER,
    modified REAL,
    hash TEXT,
    estimator TEXT,
    classifier TEXT,
    failure TEXT,
    labels TEXT
)
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """What is known of a record: enough to tell whether its clip must be done again.

    Attributes:
        offset: Where its line begins in ``results.jsonl``.
        path: The file as it was given.
        content: What the file held then; None when it could not be read.
        settings: Hashes of the estimator and the classifier with their settings.
        failure: Why there are no labels; None for an answer.
    """

    offset: int
    path: str
    content: Content | None
    settings: tuple[str, str]
    failure: str | None


class Ledger:
    """The last record of each clip of a run; to be used as a context manager.

    Takes the same memory for a million records as for ten thousand.

    Attributes:
        database: Holds the table ``record``. Whoever plans with it may add its own tables.
    """

    def __init__(self, run: Path | None) -> None:
        """Read the records of a run once.

        Args:
            run: The run folder; None, or one without records, for an empty ledger.

        Raises:
            StoreError: The records cannot be read, or there is no room for the index.
        """
        self.database = open_database()
        try:
            with database_errors():
                self.database.execute(_TABLE)
                if run is not None and (run / RESULTS).exists():
                    self._read(run / RESULTS)
                count = self.database.execute("SELECT count(*) FROM record").fetchone()
        except BaseException:
            self.close()
            raise
        self._count = int(count[0])

    def _read(self, results: Path) -> None:
        def rows() -> Iterator[tuple[Any, ...]]:
            read = _reader()
            for offset, line in whole_lines(results):
                row = read(line)
                if row is not None:
                    yield offset, *row

        marks = ",".join("?" * 10)
        try:
            self.database.execute("BEGIN")
            self.database.executemany(f"REPLACE INTO record VALUES ({marks})", rows())
            self.database.execute("COMMIT")
        except OSError as error:
            raise StoreError(f"{results} cannot be read: {error.strerror}") from error

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Remove the temporary file."""
        self.database.close()

    def __len__(self) -> int:
        """Number of clips with a record."""
        return self._count

    def get(self, clip_id: str) -> Finished | None:
        """The last record of a clip."""
        query = f"SELECT {FINISHED} FROM record WHERE clip_id = ?"
        row = self.database.execute(query, (clip_id,)).fetchone()
        return None if row is None else to_finished(row)

    def offsets(self) -> Iterator[int]:
        """Where the lines of the last records begin, in the order of the file."""
        with database_errors():
            for (offset,) in self.database.execute("SELECT offset FROM record ORDER BY offset"):
                yield offset


FINISHED = "offset, path, size, modified, hash, estimator, classifier, failure"
"""The columns that :func:`to_finished` takes."""


def to_finished(row: tuple[Any, ...]) -> Finished:
    """What a row of the table ``record`` says."""
    offset, path, size, modified, digest, estimator, classifier, failure = row
    content = None if digest is None else Content(size, modified, digest)
    return Finished(offset, to_text(path), content, (estimator, classifier), failure)


def read_records(folder: Path) -> Iterator[ClipLabels]:
    """The last record of each clip, in the order of the file.

    Raises:
        StoreError: The folder holds no run, a record of another schema version, or a spoiled one.
    """
    for line in last_lines(folder):
        yield record_of(folder, line)


def records_at(folder: Path, offsets: Iterable[int]) -> Iterator[ClipLabels]:
    """The records whose lines begin at ``offsets``.

    Raises:
        StoreError: One has another schema version, or is spoiled.
    """
    for line in lines_at(folder, offsets):
        yield record_of(folder, line)


def last_lines(folder: Path) -> Iterator[bytes]:
    """The line of the last record of each clip, in the order of the file.

    Raises:
        StoreError: The folder holds no run.
    """
    if not (folder / RESULTS).exists():
        raise StoreError(f"{folder} {NO_RUN}")
    with Ledger(folder) as ledger:
        yield from lines_at(folder, ledger.offsets())


def lines_at(folder: Path, offsets: Iterable[int]) -> Iterator[bytes]:
    """The lines that begin at ``offsets``, as they are in ``results.jsonl``."""
    with open_regular(folder / RESULTS) as file:
        for offset in offsets:
            file.seek(offset)
            yield file.readline(LONGEST_LINE)


def record_of(folder: Path, line: bytes) -> ClipLabels:
    """The record that a line holds.

    Raises:
        StoreError: It has another schema version, or is spoiled.
    """
    data = parsed(line)
    if data is None:
        raise StoreError(f"{folder / RESULTS} was changed while it was read; try again")
    try:
        return ClipLabels.from_dict(data)
    except ValueError as error:
        raise StoreError(f"{folder / RESULTS}: {error}") from error


def open_database() -> "sqlite3.Connection":
    """A database in a temporary file of this process; it goes when it is closed."""
    import sqlite3

    # Not only for the thread that opens it: workers may draw their tasks from another.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return database


@contextmanager
def database_errors() -> Iterator[None]:
    """Says what is wrong where a temporary file cannot be written.

    Raises:
        StoreError: It cannot.
    """
    import sqlite3

    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"cannot write temporary files ({error}); free space, or set TMPDIR to a folder that "
            "has some"
        ) from error


def is_plain(line: bytes) -> bool:
    """Whether msgspec may be trusted with a line: it looks at no byte of what it passes over.

    A longer line may be a bomb: reading that takes the slow way, which counts what is in it.
    """
    return len(line) < 2**20 and line.isascii()


def to_bytes(text: str) -> bytes:
    """Any text of Python's, which SQLite's need not be: file names may not be UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """Back from :func:`to_bytes`."""
    return data.decode("utf-8", "surrogatepass")


@cache
def _reader() -> Callable[[bytes], tuple[Any, ...] | None]:
    """What makes a row of a line without its offset; None of one that is no record.

    Reads what is needed and passes over the rest, which takes a fifteenth of the time.
    """
    from msgspec import DecodeError, Meta, Struct, ValidationError, convert
    from msgspec.json import Decoder

    class Kept(Struct):
        size: Annotated[int, Meta(ge=0, le=_LARGEST)]
        modified: float
        hash: str

    class Made(Struct):
        hash: str

    class Provenance(Struct):
        content: Kept | None
        estimator: Made
        classifier: Made

    class Failed(Struct):
        reason: str

    class Line(Struct):
        clip_id: str
        path: str
        failure: Failed | None
        provenance: Provenance
        labels: list[str]

    decoder = Decoder(Line)

    def texts(found: Line) -> str:
        """What SQLite takes for text, which only file names need not be."""
        about = found.provenance
        named = (found.clip_id, about.estimator.hash, about.classifier.hash, *found.labels)
        return " ".join(
            (
                *named,
                about.content.hash if about.content else "",
                found.failure.reason if found.failure else "",
            )
        )

    def slowly(line: bytes) -> Line | None:
        try:
            found = convert(parsed(line), Line)
            texts(found).encode()
        except (ValidationError, UnicodeEncodeError):
            return None
        return found

    def read(line: bytes) -> tuple[Any, ...] | None:
        found: Line | None
        if is_plain(line):
            try:
                found = decoder.decode(line)
            except (DecodeError, RecursionError):
                # A lone surrogate in a file name, and NaN, are more than it takes.
                found = slowly(line)
        else:
            found = slowly(line)
        if found is None:
            return None
        about = found.provenance
        content = about.content
        return (
            found.clip_id,
            to_bytes(found.path),
            *(
                (None, None, None)
                if content is None
                else (content.size, content.modified, content.hash)
            ),
            about.estimator.hash,
            about.classifier.hash,
            None if found.failure is None else found.failure.reason,
            ",".join(found.labels),
        )

    return read
