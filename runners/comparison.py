"""Systems side by side: the same clips, scored alike, and where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dollygrip.runners.formats.published import PublishedRow
from dollygrip.runners.formats.truth import LabelledClip
from dollygrip.runners.systems import Answer, System

if TYPE_CHECKING:
    from dollygrip.runners.evaluation import Evaluation


@dataclass(frozen=True)
class ComparedClip:
    """One clip, and what everybody says of it.

    Attributes:
        name: The clip as the labels, else the first system, write it.
        truth: What people say; None without labels.
        answers: One a system, in order; None where a system does not have the clip.
        disagreement: 0 to 1, see :func:`disagreement`; NaN where fewer than two say anything.
    """

    name: str
    truth: LabelledClip | None
    answers: tuple[Answer | None, ...]
    disagreement: float


@dataclass(frozen=True)
class Agreement:
    """How alike two systems are, for each two of them.

    Attributes:
        names: Share of the clips that both answer of which they name the same primitives; NaN
            where one of them only ranks.
        ranks: Spearman's rank correlation of their scores over the clips that both answer, mean
            of the primitives; NaN where one of them ranks nothing.
    """

    names: tuple[tuple[float, ...], ...]
    ranks: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Confusion:
    """Which of two look-alikes was ranked higher, of clips that have one and not the other.

    Attributes:
        first: As ``"pan"``.
        second: As ``"truck"``.
        counts: Two rows, where the first is true and where the second is; in each the number of
            clips where the first ranks higher, where the second does, where both rank alike, and
            that have no answer.
    """

    first: str
    second: str
    counts: tuple[tuple[int, int, int, int], tuple[int, int, int, int]]


@dataclass(frozen=True)
class Comparison:
    """All that is known of some systems on some clips.

    Attributes:
        systems: Those compared; the first is the one that the report is about.
        clips: Most disagreed first.
        labelled: Whether there is a truth.
        evaluations: One a system; none without labels.
        published: Rows of others, in percent.
        agreement: Of each two systems.
        confusions: One mapping a system: by name of the pair; none without labels.
        strangers: One a system: how many of its clips are none of ``clips``.
    """

    systems: tuple[System, ...]
    clips: tuple[ComparedClip, ...]
    labelled: bool
    evaluations: "tuple[Evaluation, ...]"
    published: tuple[PublishedRow, ...]
    agreement: Agreement
    confusions: tuple[Mapping[str, Confusion], ...]
    strangers: tuple[int, ...]
