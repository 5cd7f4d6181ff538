"""Verdicts against the truth, in numbers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.labelling import Verdict
from benchmarks.tables import mean
from benchmarks.truth import Truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.metrics import average_precision, f1

# A clip without an answer ranks below every clip with one.
FAILED_SCORE = -1.0
# A wrong label is told with confidence from this score and this trust on.
SURE_SCORE, SURE_TRUST = 0.7, 0.5
# What looks alike but for parallax, the same way round.
CONFUSABLE = {
    "zoom or dolly": (("zoom_in", "dolly_in"), ("zoom_out", "dolly_out")),
    "pan or truck": (("pan_left", "truck_left"), ("pan_right", "truck_right")),
    "tilt or pedestal": (("tilt_up", "pedestal_up"), ("tilt_down", "pedestal_down")),
}


@dataclass(frozen=True)
class Scores:
    """How well one estimator did on a set of clips.

    Attributes:
        clips: Number of clips.
        average_precision: For each primitive with a positive and a negative clip.
        mean_ap: Their mean; NaN where there are none.
        exact: Share of clips whose every known primitive is right.
        macro_f1: Mean F1 over the same primitives as ``mean_ap``.
        static_recall: Share of the still cameras that are called ``static``.
        static_alarms: Share of the moving cameras that are called ``static``.
        failed: Share of clips without an answer.
        seconds: Mean wall time of a clip; NaN where none was estimated.
    """

    clips: int
    average_precision: dict[str, float]
    mean_ap: float
    exact: float
    macro_f1: float
    static_recall: float
    static_alarms: float
    failed: float
    seconds: float


@dataclass(frozen=True)
class PairScores:
    """How well two moves that look alike were told apart.

    Attributes:
        told: Clips that surely have the one and surely not the other.
        right: Share of these in which the one that is there scores higher.
        needless: Share of these of which the two were reported as ambiguous.
        unsure: Clips of which nobody can tell: of both, or of one while the other is there.
        admitted: Share of these of which the two were reported as ambiguous.
        guessed: Share of these of which a move that nobody can tell was named with confidence,
            and the two were not reported as ambiguous.
    """

    told: int
    right: float
    needless: float
    unsure: int
    admitted: float
    guessed: float


@dataclass(frozen=True)
class Confidence:
    """Whether trust says who is right.

    Attributes:
        wrong: Clips with a wrong label that was told with confidence.
        share: Their share of all clips.
        trust_right: Mean trust of the clips that are exactly right.
        trust_wrong: Mean trust of the others that have an answer.
    """

    wrong: tuple[str, ...]
    share: float
    trust_right: float
    trust_wrong: float


def measure(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Scores:
    """Score one estimator's verdicts; both sequences run in parallel."""
    both = list(zip(truths, verdicts, strict=True))
    precisions, f1s = {}, []
    for name in PRIMITIVES:
        known = [(t.answers[name], v) for t, v in both if t.answers[name] is not None]
        wanted = np.array([answer for answer, _ in known], dtype=np.bool_)
        if not wanted.any() or wanted.all():
            continue
        ranked = np.array([_score(v, name) for _, v in known])
        said = np.array([name in v.labels for _, v in known])
        precisions[name] = average_precision(wanted, ranked)
        f1s.append(f1(wanted, said))
    return Scores(
        clips=len(both),
        average_precision=precisions,
        mean_ap=mean(precisions.values()),
        exact=mean(not mistakes(t, v) for t, v in both),
        macro_f1=mean(f1s),
        static_recall=mean("static" in v.labels for t, v in both if t.answers["static"]),
        static_alarms=mean("static" in v.labels for t, v in both if t.answers["static"] is False),
        failed=mean(bool(v.failure) for v in verdicts),
        seconds=mean(v.seconds for v in verdicts if not math.isnan(v.seconds)),
    )


def by_group(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> dict[str, Scores]:
    """The same for every group of clips, by its name."""
    groups = {}
    for name in sorted({group for truth in truths for group in truth.groups}):
        inside = [i for i, truth in enumerate(truths) if name in truth.groups]
        groups[name] = measure([truths[i] for i in inside], [verdicts[i] for i in inside])
    return groups


def mistakes(truth: Truth, said: Verdict) -> tuple[str, ...]:
    """Primitives that are wrong, "+name" for too much and "-name" for missing."""
    if said.failure:
        return (f"failed: {said.failure}",)
    wrong = []
    for name, answer in truth.answers.items():
        if answer is not None and answer != (name in said.labels):
            wrong.append(("-" if answer else "+") + name)
    return tuple(wrong)


def pair_scores(
    truths: Sequence[Truth], verdicts: Sequence[Verdict], pairs: Iterable[tuple[str, str]]
) -> PairScores:
    """How well the two moves of each of some pairs are told apart, all pairs together."""
    right, needless, admitted, guessed = [], [], [], []
    for pair in pairs:
        for truth, said in zip(truths, verdicts, strict=True):
            answers = tuple(truth.answers[name] for name in pair)
            ambiguous = set(pair) in [set(reported) for reported in said.ambiguous]
            if set(answers) == {True, False}:
                there, other = pair if answers[0] else pair[::-1]
                right.append(_score(said, there) > _score(said, other))
                needless.append(ambiguous)
            # "Unsure or no" is one move of which it is unclear whether it is there at all.
            elif None in answers and False not in answers:
                admitted.append(ambiguous)
                unknown = [n for n, answer in zip(pair, answers, strict=True) if answer is None]
                guessed.append(not ambiguous and any(_sure(said, name) for name in unknown))
    return PairScores(
        told=len(right),
        right=mean(right),
        needless=mean(needless),
        unsure=len(admitted),
        admitted=mean(admitted),
        guessed=mean(guessed),
    )


def confidence(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Confidence:
    """Whether trust says who is right."""
    both = list(zip(truths, verdicts, strict=True))
    wrong = tuple(
        truth.clip
        for truth, said in both
        if any(answer is False and _sure(said, name) for name, answer in truth.answers.items())
    )
    answered = [(truth, said) for truth, said in both if not said.failure]
    return Confidence(
        wrong=wrong,
        share=len(wrong) / len(both) if both else float("nan"),
        trust_right=mean(said.trust for truth, said in answered if not mistakes(truth, said)),
        trust_wrong=mean(said.trust for truth, said in answered if mistakes(truth, said)),
    )


def _score(said: Verdict, name: str) -> float:
    return FAILED_SCORE if said.failure else said.scores[name]


def _sure(said: Verdict, name: str) -> bool:
    """Whether a label is told with confidence."""
    return name in said.labels and said.scores[name] >= SURE_SCORE and said.trust >= SURE_TRUST
