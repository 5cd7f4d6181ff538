"""Lists of clips in files, or on standard input: text, CSV, TSV, Parquet.

Lists may be huge, and strangers' work: they are streamed, and every line of them is bounded.
"""

import csv
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO

from dollygrip.runners.video import VIDEO_SUFFIXES, printable

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = ".parquet"
LIST_SUFFIXES = frozenset({".txt", ".csv", ".tsv", PARQUET})

COLUMNS = (
    "path",
    "video_path",
    "clip_path",
    "file_path",
    "filepath",
    "file",
    "filename",
    "file_name",
    "video",
    "clip",
)
"""What a column of paths is called; where a table has several of them, the first of these."""

MAX_LINE = 1 << 20
"""Bytes of a line or of a row of a table. A path has 4096 at most, but captions stand beside it."""

_CHUNK = 1 << 16
_ROWS = 4096
_SHOWN = 12
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class InputError(ValueError):
    """An input cannot be used; the message says which, why and what to do, in one line."""


def read_list(path: Path, column: str | None = None) -> Iterator[str]:
    r"""The paths in a list, as they stand there.

    A text has one path a line, taken literally: it may begin with ``#`` or a space. Where there is
    a NUL within the first 64 kB, NULs separate the paths (``find -print0``), which may then hold
    newlines. Empty lines, cells and nulls are passed over. Names that are not UTF-8 keep their
    bytes, as everywhere in Python (``os.fsdecode``).

    A table (CSV, with commas, semicolons or tabs; TSV; Parquet) has its paths in ``column``, or in
    the first of :data:`COLUMNS` that it has, or in its only column. A CSV or TSV without a header
    is taken for a text in one column where its first line looks like a path.

    Args:
        path: A file with one of :data:`LIST_SUFFIXES`.
        column: The column of tables that holds the paths.

    Raises:
        InputError: It cannot be read, or is no such list.
    """
    name, suffix = printable(path), path.suffix.lower()
    with _open_list(path, name) as file, _reading(name):
        if suffix == PARQUET:
            yield from _read_parquet(file, name, column)
        elif suffix == ".txt":
            yield from _read_text(file, file.read(_CHUNK), name)
        else:
            delimiter = "\t" if suffix == ".tsv" else None
            yield from _read_table(file, file.read(_CHUNK), name, column, delimiter)


def read_standard_input(stdin: BinaryIO | None = None, column: str | None = None) -> Iterator[str]:
    """The paths in a list on standard input.

    It is a text, see :func:`read_list`; or a CSV or TSV, where ``column`` is given or where its
    first line is a header of several columns, one of them in :data:`COLUMNS`.

    Args:
        stdin: Read instead.
        column: The column that holds the paths.

    Raises:
        InputError: It cannot be read, or is no such list.
    """
    name = "standard input"
    if stdin is None and sys.stdin is None:
        raise InputError(f"{name} is closed; pipe a list of paths into it")
    stream: BinaryIO = sys.stdin.buffer if stdin is None else stdin
    with _reading(name):
        head = stream.read(_CHUNK)
        if column is not None or _names_columns(_first_line(head)):
            yield from _read_table(stream, head, name, column)
        else:
            yield from _read_text(stream, head, name)


def _read_text(stream: BinaryIO, head: bytes, name: str) -> Iterator[str]:
    mark = b"\0" if b"\0" in head else b"\n"
    _check_text(head, mark, name)
    for number, line in _lines(stream, head, mark, name):
        entry = line if mark == b"\0" else line.removesuffix(b"\r")
        if mark == b"\n" and b"\0" in entry:
            raise InputError(f"{name}:{number}: holds a NUL; separate all paths by NULs, or none")
        if entry:
            yield os.fsdecode(entry)


def _read_table(
    stream: BinaryIO, head: bytes, name: str, column: str | None, delimiter: str | None = None
) -> Iterator[str]:
    _check_text(head, b"\n", name)
    number = size = 0

    def texts() -> Iterator[str]:
        nonlocal number, size
        for number, line in _lines(stream, head, b"\n", name):
            size += len(line)
            if size > MAX_LINE:  # a quote that is never closed would take in the whole file
                raise InputError(
                    f"{name}:{number}: a row is over {MAX_LINE >> 20} MB; close its quotes"
                )
            yield os.fsdecode(line) + "\n"

    delimiter = delimiter or _delimiter(_first_line(head))
    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    try:
        header = next((row for row in reader if row), [])
        index = _index_of(header, name, column) if _is_header(header) or column else None
        if index is None and len(header) > 1:
            raise _no_column(header, name)
        rows: Iterable[list[str]] = reader if index is not None else chain([header], reader)
        for row in rows:
            size = 0
            if row and len(row) != len(header):
                raise InputError(
                    f"{name}:{number}: has {len(row)} columns, its first line {len(header)}; put"
                    " what holds separators into quotes"
                )
            if row and row[index or 0]:
                yield row[index or 0]
    except csv.Error as error:
        raise InputError(f"{name}:{number}: no CSV ({error}); mend that line") from error


def _read_parquet(file: BinaryIO, name: str, column: str | None) -> Iterator[str]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file, pre_buffer=False)
        header = list(table.schema_arrow.names)
        index = _index_of(header, name, column)
        kind = table.schema_arrow.field(index).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not _holds_text(kind):
            raise InputError(
                f"{name}: column {header[index]!r} holds {printable(Path(str(kind)))}, no paths;"
                " name another with --column"
            )
        number = 0
        for batch in table.iter_batches(_ROWS, columns=[header[index]], use_threads=False):
            for entry in _cells(batch.column(0)):
                number += 1
                if entry is not None and len(entry) > MAX_LINE:
                    raise InputError(f"{name}: row {number} is over {MAX_LINE >> 20} MB, no path")
                if entry:
                    yield os.fsdecode(entry)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{name} is no Parquet file, or damaged; write it again") from error


def _holds_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    checks = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(check(kind) for check in checks)


def _cells(column: "pa.Array") -> list[bytes | None]:
    """As bytes: strings in a file need not be UTF-8, whatever it says."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return cells


def _index_of(header: list[str], name: str, column: str | None) -> int:
    """Which column holds the paths."""
    found = column if column is not None else _usual(header)
    if found is None and len(header) == 1:
        found = header[0]
    if found is None or found not in header:
        raise _no_column(header, name, column)
    if header.count(found) > 1:
        raise InputError(f"{name} has two columns {found!r}; rename one")
    return header.index(found)


def _no_column(header: list[str], name: str, column: str | None = None) -> InputError:
    shown = ", ".join(repr(cell[:40]) for cell in header[:_SHOWN]) or "none"
    more = f" and {len(header) - _SHOWN} more" if len(header) > _SHOWN else ""
    lacking = "path" if column is None else repr(column)
    return InputError(f"{name} has no column {lacking}, but {shown}{more}; name one with --column")


def _usual(header: Iterable[str]) -> str | None:
    by_name = {cell.strip().lower().replace(" ", "_"): cell for cell in reversed(list(header))}
    return next((by_name[usual] for usual in COLUMNS if usual in by_name), None)


def _is_header(cells: Iterable[str]) -> bool:
    """Whether these can be names of columns: none looks like a path."""
    return not any(
        os.sep in cell or PurePath(cell).suffix.lower() in VIDEO_SUFFIXES for cell in cells
    )


def _delimiter(line: str) -> str:
    """What a header has most of."""
    return max(",;\t", key=line.count)


def _lines(stream: BinaryIO, head: bytes, mark: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line, without what ends it."""
    number, rest = 0, b""
    for chunk in _chunks(stream, head):
        *lines, rest = (rest + chunk).split(mark)
        for number, line in enumerate(lines, start=number + 1):  # noqa: B020 - counts on
            yield number, line
        if len(rest) > MAX_LINE:
            raise InputError(
                f"{name}:{number + 1}: is over {MAX_LINE >> 20} MB; give one path a line"
            )
    if rest:
        yield number + 1, rest


def _chunks(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    """A short one is the last: to read once more would take a second Ctrl-D at a keyboard."""
    yield head.removeprefix(_BOM)
    while len(head) == _CHUNK:
        head = stream.read(_CHUNK)
        yield head


def _check_text(head: bytes, mark: bytes, name: str) -> None:
    """Refuses what is no list at all, by how it begins.

    Nothing that lists files writes two NULs in a row, and hardly a name has control characters and
    is not UTF-8.
    """
    first = head.removeprefix(_BOM).partition(mark)[0]
    if head.startswith(_UTF_16):
        raise InputError(f"{name} is UTF-16; save it as UTF-8")
    odd = any(byte < 32 and byte not in b"\t\r\n" for byte in first)
    if b"\0\0" in head or head.startswith(b"\0") or (odd and not _is_utf8(first)):
        raise InputError(f"{name} is no text; give a list with one path a line")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first_line(head: bytes) -> str:
    return os.fsdecode(head.removeprefix(_BOM).partition(b"\n")[0])


def _names_columns(line: str) -> bool:
    """Whether a line is the header of a table with several columns, one of them of paths."""
    try:
        cells = next(csv.reader([line], delimiter=_delimiter(line)), [])
    except csv.Error:
        return False
    return len(cells) > 1 and _is_header(cells) and _usual(cells) is not None


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Says of what could not be read."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); copy it anew") from error


@contextmanager
def _open_list(path: Path, name: str) -> Iterator[BinaryIO]:
    """Opens a regular file; refuses pipes and devices without waiting for them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError(f"{name} does not exist; check the name") from error
    except OSError as error:
        raise InputError(
            f"{name} cannot be read ({error.strerror}); check the path and its permissions"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{name} is not a regular file; for a list from a pipe, give -")
        yield file
