"""Tables for spreadsheets: CSV in which no cell is taken for a formula."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from dollygrip.runners.formats.files import write_atomically

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def defused(cell: Any) -> Any:
    """The same cell; a text that would be a formula has an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, whole or not at all; None is an empty cell."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(defused, head))
    writer.writerows(map(defused, row) for row in rows)
    # A file name that is not UTF-8 has bytes that no table can hold.
    write_atomically(path, text.getvalue().encode("utf-8", "replace"))
