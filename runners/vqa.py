"""CameraBench's questions about pairs of clips, answered from records and scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dollygrip.runners.formats.scores import VqaScores


@dataclass(frozen=True)
class Accuracy:
    """Shares of right answers, 0 to 1; NaN where nothing was asked.

    Attributes:
        accuracy: Of (question, clip) cells.
        q_accuracy: Of questions that are answered right on both clips.
    """

    accuracy: float
    q_accuracy: float


@dataclass(frozen=True)
class PairResult:
    """How a system does on some of the pairs.

    Attributes:
        pairs: How many there are.
        answered: How many are of tasks that the system answers; the others are at chance.
        failed: How many of those answered carry an error.
        told: Over answered tasks; an error is wrong (the paper's rule for failures).
        told_dropped: Over answered tasks; errors left out (the public evaluator's).
        overall: Over all pairs; tasks not answered count as 50% and 25%, errors as wrong.
        overall_dropped: The same with errors left out.
    """

    pairs: int
    answered: int
    failed: int
    told: Accuracy
    told_dropped: Accuracy
    overall: Accuracy
    overall_dropped: Accuracy


@dataclass(frozen=True)
class VqaEvaluation:
    """How a system does on all pairs.

    Attributes:
        system: Its name.
        total: Over all pairs; published tables average so, too.
        skills: By skill.
        tasks: By "skill/task".
    """

    system: str
    total: PairResult
    skills: Mapping[str, PairResult]
    tasks: Mapping[str, PairResult]
