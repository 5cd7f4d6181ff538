"""Verdicts against the truth: what an evaluation does not tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.labelling import Verdict
from benchmarks.tables import mean
from benchmarks.truth import GROUPED, Truth
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.runners.evaluation import SURE_SCORE, SURE_TRUST, Evaluation, evaluate
from dollygrip.runners.systems import Answer, System


@dataclass(frozen=True)
class Stillness:
    """Whether still cameras are told from moving ones.

    Attributes:
        recall: Share of the still cameras that are called ``static``.
        alarms: Share of the moving cameras that are called ``static``.
    """

    recall: float
    alarms: float


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


def evaluation(name: str, truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Evaluation:
    """Evaluate verdicts, without intervals; both sequences run in parallel."""
    clips = [truth.labelled for truth in truths]
    by = [column for column in GROUPED if any(clip.extra.get(column) for clip in clips)]
    answers = tuple(_answer(t, v) for t, v in zip(truths, verdicts, strict=True))
    return evaluate(clips, System(name, Path(), answers), by=by, resamples=0)


def stillness(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> Stillness:
    """Whether still cameras are told from moving ones."""
    said = [
        (t.answers["static"], "static" in v.labels) for t, v in zip(truths, verdicts, strict=True)
    ]
    return Stillness(
        recall=mean(named for still, named in said if still),
        alarms=mean(named for still, named in said if still is False),
    )


def mistakes(truth: Truth, said: Verdict) -> tuple[str, ...]:
    """Primitives that are wrong, "+name" for too much and "-name" for missing."""
    if said.failure:
        return (f"failed: {said.failure}",)
    wrong = []
    for name, answer in truth.answers.items():
        if answer is not None and answer != (name in said.labels):
            wrong.append(("-" if answer else "+") + name)
    return tuple(wrong)


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


def _answer(truth: Truth, said: Verdict) -> Answer:
    whole = ShotLabels(0.0, 0.0, said.labels, said.scores, (), said.ambiguous, trust=said.trust)
    path = str(truth.path)
    return Answer(
        clip_id=truth.clip,
        path=path,
        scores=said.scores,
        errors=dict.fromkeys(PRIMITIVES, said.failure) if said.failure else {},
        labels=frozenset(said.labels),
        record=ClipLabels(truth.clip, path, whole),
    )


def _sure(said: Verdict, name: str) -> bool:
    """Whether a label is told with confidence."""
    return name in said.labels and said.scores[name] >= SURE_SCORE and said.trust >= SURE_TRUST
