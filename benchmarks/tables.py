"""Tables that are Markdown and read well as plain text."""

import math
from collections.abc import Callable, Iterable, Sequence
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


def to_json(value: Any) -> Any:
    """The same data with null where there is no number: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
