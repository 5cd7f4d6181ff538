"""Clips and verdicts made up by hand."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.labelling import Verdict
from benchmarks.truth import Truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.formats.truth import LabelledClip


@pytest.fixture
def truth() -> Callable[..., Truth]:
    """Makes a clip of which the named primitives are there, others unsure, the rest not."""

    def make(clip: str, *yes: str, unsure: tuple[str, ...] = (), **extra: str) -> Truth:
        answers = {name: None if name in unsure else name in yes for name in PRIMITIVES}
        return Truth(LabelledClip(clip, answers, extra), Path(clip))

    return make


@pytest.fixture
def said() -> Callable[..., Verdict]:
    """Makes a verdict of labels and scores; what has no score has 0."""

    def make(
        *labels: str,
        seconds: float = 1.0,
        trust: float = 0.0,
        ambiguous: tuple[tuple[str, str], ...] = (),
        **scores: float,
    ) -> Verdict:
        full = dict.fromkeys(PRIMITIVES, 0.0) | scores
        return Verdict(labels, full, ambiguous=ambiguous, trust=trust, seconds=seconds)

    return make


@pytest.fixture
def labels_csv(tmp_path: Path) -> Callable[..., Path]:
    """Writes labels.csv into a folder; primitives that a row leaves out are "no"."""

    def write(*rows: dict[str, str], columns: tuple[str, ...] = ()) -> Path:
        with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["clip", *PRIMITIVES, *columns])
            writer.writeheader()
            writer.writerows(dict.fromkeys(PRIMITIVES, "no") | row for row in rows)
        return tmp_path

    return write
