"""Tables that are Markdown and read well as plain text."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")
Cells = Sequence[tuple[str, Callable[[Item], str]]]
"""Titles, and what stands below each of them for one item."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with columns of even width."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def listing(cells: Cells[Item], items: Iterable[Item]) -> str:
    """A table with a row an item."""
    return table([title for title, _ in cells], [[cell(i) for _, cell in cells] for i in items])


def comparison(corner: str, cells: Cells[Item], items: dict[str, Item]) -> str:
    """A table with a column an item."""
    rows = [[title, *(cell(item) for item in items.values())] for title, cell in cells]
    return table([corner, *items], rows)


def number(value: float, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def mean(values: Iterable[float]) -> float:
    """The mean; NaN of nothing."""
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows that need not have the same columns."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, data: Any) -> None:
    """Write plain data with null where there is no number: JSON knows no NaN."""
    text = json.dumps(_plain(data), indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
