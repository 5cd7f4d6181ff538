"""The threshold classifier: a move is named when a viewer would see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dollygrip.classifiers.answers import answer
from dollygrip.classifiers.base import failed
from dollygrip.classifiers.criteria import ThresholdSettings as ThresholdSettings
from dollygrip.classifiers.evidence import Reading, mixed, present, read
from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, ambiguous_pairs, likelier_named
from dollygrip.classifiers.segments import Span, axis_spans
from dollygrip.classifiers.shipped import shipped
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Hypothesis


@dataclass(frozen=True)
class ThresholdClassifier:
    """Names the moves that a viewer would see; see :class:`ThresholdSettings`."""

    settings: ThresholdSettings = field(default_factory=ThresholdSettings)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "threshold"

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot; see :class:`dollygrip.classifiers.base.Classifier`."""
        readings = read(hypotheses, self.settings)
        if isinstance(readings, Failure):
            return failed(readings, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        weighed = [(reading.probability, reading.scores) for reading in readings]
        ambiguous = ambiguous_pairs(weighed, self.settings.comparable)
        scores = likelier_named(mixed(readings), ambiguous)
        return answer(
            readings,
            scores,
            moving_spans(readings, present(scores), self.settings),
            criteria=self.settings,
            trusting=shipped()[0]["trust_threshold"],
            ambiguous=ambiguous,
            start=start,
            end=end,
            doubts=doubts,
            diagnostics=dict(diagnostics or {}),
        )


def moving_spans(
    readings: Sequence[Reading], labels: Sequence[str], criteria: ThresholdSettings
) -> dict[str, tuple[Span, ...]]:
    """When each of the signed moves among ``labels`` happens, by its rate."""
    spans: dict[str, tuple[Span, ...]] = {}
    for axis, axis_name in enumerate(AXES):
        wanted = {BY_NAME[name].sign: name for name in labels if BY_NAME[name].axis == axis_name}
        if wanted:
            teller = max(
                readings, key=lambda r: r.probability * max(r.scores[n] for n in wanted.values())
            )
            found = axis_spans(teller.motion, axis, tuple(wanted), criteria.segments)
            spans.update({wanted[sign]: stretches for sign, stretches in found.items()})
    return spans
