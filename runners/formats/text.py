"""Tables of numbers and JSON as text, read strictly and within bounds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from dollygrip.geometry.arrays import FloatArray
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.json_data import parse
from dollygrip.runners.formats.path import MOST_BYTES, MOST_POSES, PoseError, naming

_LONGEST_LINE = 64 * 1024
# With comments and blank ones.
_MOST_LINES = 4 * MOST_POSES
# Of JSON: lists, objects and what stands in them; a pose with its intrinsics has about thirty.
_MOST_PIECES = 32 * MOST_POSES


def read_text(path: Path) -> str:
    """A whole file of UTF-8 text.

    Raises:
        PoseError: It is too large, cannot be read, or is no text.
    """
    with naming(path):
        _check_size(path)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise PoseError(f"{path}: too large for a pose file")
        if b"\0" in data[:4096]:
            raise PoseError(f"{path}: binary data, no text")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PoseError(f"{path}: not UTF-8 text (byte {error.start})") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file of UTF-8 text, counted from 1, without ever holding all of it.

    Raises:
        PoseError: It is too large, cannot be read, or is no text; it has a very long line, or
            very many.
    """
    with naming(path):
        _check_size(path)
        number = 0
        with path.open(encoding="utf-8-sig") as file:
            while line := _next_line(file, path, number + 1):
                number += 1
                yield number, line.rstrip("\n")


def _next_line(file: TextIO, path: Path, number: int) -> str:
    try:
        line = file.readline(_LONGEST_LINE + 1)
    except UnicodeDecodeError as error:
        raise PoseError(f"{path}:{number}: not UTF-8 text") from error
    if len(line) > _LONGEST_LINE:
        raise PoseError(f"{path}:{number}: a line of more than {_LONGEST_LINE} characters")
    if "\0" in line:
        raise PoseError(f"{path}:{number}: binary data, no text")
    if number > _MOST_LINES:
        raise PoseError(f"{path}: more than {_MOST_LINES} lines")
    return line


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise PoseError(f"{path}: {size / 2**20:.0f} MB are too large for a pose file")
    # Pipes and devices would be waited for.
    if not path.is_file():
        raise PoseError(f"{path}: no regular file")


def read_rows(
    path: Path, columns: int | tuple[int, ...], *, skip: int = 0, separator: str | None = None
) -> Iterator[tuple[int, list[float]]]:
    """The rows of a table of numbers, with the number of each line, counted from 1.

    Blank lines and comments (``#``) are passed over.

    Args:
        path: The file.
        columns: How many numbers a row has; one of several.
        skip: Lines before the table.
        separator: Between numbers; white space or commas when not given.

    Raises:
        PoseError: A row has another number of columns or something that is no number; there are
            more rows than a camera path has poses.
    """
    allowed = (columns,) if isinstance(columns, int) else columns
    count = 0
    for number, line in read_lines(path):
        if number <= skip or not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split(separator) if separator else line.replace(",", " ").split()
        if len(words) not in allowed:
            expected = " or ".join(map(str, allowed))
            raise PoseError(f"{path}:{number}: {len(words)} columns, expected {expected}")
        try:
            values = [float(word) for word in words]
        except ValueError as error:
            raise PoseError(f"{path}:{number}: {str(error)[:100]}") from error
        count += 1
        if count > MOST_POSES:
            raise PoseError(f"{path}: more than {MOST_POSES} rows")
        yield number, values


def looks_like_table(head: bytes, columns: int, *, skip: int = 0) -> bool:
    """Whether the first bytes of a file begin a table of so many numbers a row.

    Args:
        head: The first bytes; the last line may be torn.
        columns: How many numbers a row has.
        skip: Lines before the table.
    """
    lines = head.decode("utf-8-sig", errors="replace").splitlines()[skip:]
    rows = [line.replace(",", " ").split() for line in lines if not line.lstrip().startswith("#")]
    row = next(filter(None, rows), [])
    try:
        return len(list(map(float, row))) == columns
    except ValueError:
        return False


def write_rows(path: Path, rows: FloatArray, *, header: str = "") -> None:
    """Write a table (N, M) with all digits, one row a line.

    Args:
        path: The file.
        rows: The numbers; each reads back as it was.
        header: Comes first, as a comment.

    Raises:
        PoseError: The file cannot be written.
    """
    lines = [f"# {header}"] if header else []
    lines += [" ".join(map(repr, row)) for row in rows.tolist()]
    write_text(path, "\n".join(lines) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        PoseError: The file cannot be written.
    """
    with naming(path):
        write_atomically(path, text.encode())


def read_json(path: Path) -> Any:
    """The data of a JSON file.

    Raises:
        PoseError: It cannot be read, is no JSON, is nested too deeply, says a thing twice, or
            has far more in it than the most poses.
    """
    text = read_text(path)
    try:
        return parse(path, text, _MOST_PIECES)
    except ValueError as error:
        raise PoseError(str(error)) from error
