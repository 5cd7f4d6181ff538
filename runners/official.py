"""Systems as CameraBench's official score files, and such files as systems."""

from collections.abc import Sequence
from pathlib import Path

from dollygrip.runners.formats.scores import ClassificationScores
from dollygrip.runners.formats.truth import LabelledClip
from dollygrip.runners.systems import System


def as_systems(scores: Sequence[ClassificationScores]) -> tuple[System, ...]:
    """Score files of the binary task as systems that only rank, one for each model.

    Args:
        scores: What :func:`dollygrip.runners.formats.scores.read_scores` gave; files of pairs and
            captions are left out by the caller.

    Returns:
        Systems by the order of their first files.

    Raises:
        ScoreError: A split is no label, or a clip is in it twice.
    """
    raise NotImplementedError


def write_official(
    folder: Path, source: Path, clips: Sequence[LabelledClip], system: System
) -> tuple[Path, ...]:
    """Write all official score files that a source of labels allows.

    The binary task has one file a label. Pairs and captions are written where the source is
    CameraBench's folder, and the system has records: one file for each task that was answered, and
    one of captions. The public evaluator reads them unchanged.

    Args:
        folder: Where; made if it is not there.
        source: The file or folder that the labels were read from.
        clips: The labels.
        system: Who answers.

    Returns:
        The files, in the order in which they were written.

    Raises:
        LabelError: The source's pairs or captions cannot be read.
    """
    raise NotImplementedError
