"""The sentences of a report that depend on what was found."""

import math

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.comparison import ComparedClip, Comparison, unanswered
from dollygrip.runners.formats.truth import LabelledClip
from dollygrip.runners.report.tables import number, percent, ranking
from dollygrip.runners.systems import Answer

# A difference that chance makes less often is called more than chance.
_UNLIKELY = 0.05

RIGHT, WRONG, FAILED, MISSING, UNKNOWN = "right", "wrong", "failed", "missing", ""


def headline(comparison: Comparison) -> str:
    """Who does best, and whether that may be chance."""
    order = ranking(comparison)
    best = comparison.evaluations[order[0]]
    if not comparison.labelled:
        return (
            "Without labels nobody knows who is right: this page shows where the systems agree, "
            "what they cost, and the clips on which they differ most."
        )
    if math.isnan(best.mean_ap.value):
        return "No primitive has both a clip with it and one without: there is nothing to rank."
    first = (
        f"{best.system} does best: mean average precision {percent(best.mean_ap.value)} "
        f"(95% interval {percent(best.mean_ap.low)} to {percent(best.mean_ap.high)})."
    )
    test = comparison.tests[order[1]] if len(order) > 1 else None
    if test is None or math.isnan(test.mean_ap.p):
        return first
    second = comparison.evaluations[order[1]].system
    verdict = "is more than chance" if test.mean_ap.p < _UNLIKELY else "may be chance"
    return (
        f"{first} Its lead over {second}, {percent(test.mean_ap.value)} points, {verdict} "
        f"(p = {number(test.mean_ap.p, 3)})."
    )


def warnings(comparison: Comparison) -> tuple[str, ...]:
    """What a reader must know before comparing numbers."""
    found = []
    if comparison.published and not comparison.on_camerabench:
        found.append(
            "The published rows are of CameraBench's clips and the others are of the clips "
            "compared here: they stand beside each other, but cannot be compared."
            if comparison.labelled
            else "The published rows are of CameraBench's clips. The systems compared here have no "
            "labels to be measured against, and so no numbers to stand beside them."
        )
    lone = {
        system.source: strangers
        for system, strangers in zip(comparison.systems, comparison.strangers, strict=True)
        if strangers
    }
    for source, strangers in lone.items():
        clips = "clip" if strangers == 1 else "clips"
        what = "nobody labelled" if comparison.labelled else "the first system does not have"
        found.append(f"{source} has {strangers} more {clips} that {what}: not compared.")
    return tuple(found)


def note(comparison: Comparison, clip: ComparedClip) -> str:
    """What became of one clip, in a line."""
    said = [verdict(clip.truth, answer) for answer in clip.answers]
    # The first that can be judged: those that only rank cannot.
    lead = next((i for i, word in enumerate(said) if word), None)
    parts = [] if lead is None else [f"{comparison.systems[lead].name}: {said[lead]}"]
    judged = [v for v in said if v in (RIGHT, WRONG, FAILED)]
    if clip.truth and len(judged) > 1:
        wrong = sum(v != RIGHT for v in judged)
        parts.append(f"{wrong} of {len(judged)} systems not right")
    if not math.isnan(clip.disagreement):
        parts.append(f"disagreement {clip.disagreement:.2f}")
    return "; ".join(parts)


def verdict(truth: LabelledClip | None, answer: Answer | None) -> str:
    """Whether every primitive of an answer that people spoke of is right.

    Returns:
        One of the words above; :data:`UNKNOWN` of a system that only ranks, and without labels.
    """
    if answer is None:
        return MISSING
    if unanswered(answer):
        return FAILED
    if truth is None or answer.labels is None:
        return UNKNOWN
    known = {name: truth.answers.get(name) for name in PRIMITIVES}
    wrong = any(told is not None and told != (n in answer.labels) for n, told in known.items())
    return WRONG if wrong else RIGHT
