"""What others have published on CameraBench: numbers to stand beside."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """One system's average precision on the binary task.

    Attributes:
        model: The system.
        version: Year and month of the table, as "2025-04".
        ap: Average precision by label, in percent.
        average: The average as published, in percent.
        notes: Keys of :data:`FOOTNOTES` that concern the row.
    """

    model: str
    version: str
    ap: Mapping[str, float]
    average: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedVqaRow:
    """One system's answers to pairs of clips.

    Attributes:
        model: The system.
        version: Year and month of the table.
        skills: By skill accuracy and Q-accuracy, in percent.
        overall: The two over all pairs, in percent, as published.
        notes: Keys of :data:`FOOTNOTES` that concern the row.
    """

    model: str
    version: str
    skills: Mapping[str, tuple[float, float]]
    overall: tuple[float, float]
    notes: tuple[str, ...] = ()


FOOTNOTES: Mapping[str, str] = {}
"""What to know before comparing with a row, by key."""


def published(source: str = "camerabench") -> tuple[PublishedRow, ...]:
    """Published rows of the binary task.

    Args:
        source: "camerabench" for the table that comes with the package, or a CSV file (or a folder
            with ``published_ap.csv``) with the columns model, version, labels and average.

    Raises:
        LabelError: There is no such file, or it cannot be read.
    """
    raise NotImplementedError


def published_vqa(source: str = "camerabench") -> tuple[PublishedVqaRow, ...]:
    """Published rows of the task with pairs; none where a source has no such table.

    Raises:
        LabelError: The file cannot be read.
    """
    raise NotImplementedError
