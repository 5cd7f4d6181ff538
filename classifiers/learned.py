"""The learned classifier: small networks, trained on clips whose motion is known exactly."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.classifiers.answers import answer
from dollygrip.classifiers.base import failed
from dollygrip.classifiers.evidence import Reading, present, read
from dollygrip.classifiers.features import (
    CRITERIA,
    LABEL_FEATURES,
    MOMENT_FEATURES,
    TRUST_FEATURES,
    label_rows,
    moment_rows,
)
from dollygrip.classifiers.labels import COMBINED, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.network import MOST_BYTES, Network, from_bytes
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, ambiguous_pairs, likelier_named
from dollygrip.classifiers.segments import Span
from dollygrip.classifiers.shipped import shipped, shipped_bytes
from dollygrip.classifiers.threshold import moving_spans
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.trajectory import Hypothesis

MOMENT = 0.05
"""Seconds between two moments at which it is asked whether a move happens."""

_FEATURES = {"labels": LABEL_FEATURES, "moments": MOMENT_FEATURES, "trust": TRUST_FEATURES}


@dataclass(frozen=True)
class LearnedSettings:
    """Which networks answer.

    Attributes:
        weights: A file that ``dollygrip train`` wrote; the shipped one where empty.
        digest: Of the weights; found out where empty. Results made with other weights are others.
        comparable: Probability from which on a second reading makes the first ambiguous.
    """

    weights: str = ""
    digest: str = ""
    comparable: float = CRITERIA.comparable

    def __post_init__(self) -> None:
        """Look at the file.

        Raises:
            ValueError: It cannot be read, holds no weights of this version, or is not the one that
                ``digest`` says.
        """
        data = _bytes_of(self.weights) if self.weights else shipped_bytes()
        found = hashlib.blake2b(data, digest_size=8).hexdigest()
        if self.digest not in ("", found):
            name = self.weights or "of this version"
            raise ValueError(f"weights {name} are {found}, not {self.digest}: they have changed")
        object.__setattr__(self, "digest", found)
        if self.weights:
            _networks(data, self.weights)


@dataclass(frozen=True)
class LearnedClassifier:
    """Names moves by what networks have learned of many shots."""

    settings: LearnedSettings = field(default_factory=LearnedSettings)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "learned"

    @cached_property
    def networks(self) -> Mapping[str, Network]:
        """``labels``, ``moments`` and ``trust``.

        Raises:
            ValueError: The file of the settings is no longer the one that they looked at.
        """
        networks = shipped()[0]
        if not self.settings.weights:
            return networks
        again = replace(self.settings)
        return {**networks, **_networks(_bytes_of(again.weights), again.weights)}

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
        readings = read(hypotheses, CRITERIA)
        if isinstance(readings, Failure):
            return failed(readings, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        rows = label_rows(readings, doubts=doubts, diagnostics=diagnostics)
        weighed = [(reading.probability, reading.scores) for reading in readings]
        ambiguous = ambiguous_pairs(weighed, self.settings.comparable)
        scores = likelier_named(scores_of(self.networks["labels"].probabilities(rows)), ambiguous)
        return answer(
            readings,
            scores,
            self._moving(readings, scores),
            criteria=CRITERIA,
            ambiguous=ambiguous,
            trusting=self.networks["trust"],
            start=start,
            end=end,
            doubts=doubts,
            diagnostics=dict(diagnostics or {}),
        )

    def along(
        self, readings: Sequence[Reading], labels: Sequence[str], times: FloatArray
    ) -> dict[str, FloatArray]:
        """How likely each of the signed moves among ``labels`` happens at each moment.

        Args:
            readings: The explanations of a shot under ``CRITERIA``, likeliest first.
            labels: What the shot has.
            times: (T,) seconds from the first frame of the clip.

        Returns:
            (T,) probabilities by label.
        """
        network = self.networks["moments"]
        return {
            name: network.probabilities(moment_rows(readings, name, times))
            for name in labels
            if name in DIRECTIONS
        }

    def _moving(
        self, readings: Sequence[Reading], scores: Mapping[str, float]
    ) -> dict[str, tuple[Span, ...]]:
        """When the moves that are present happen, and how likely each does then.

        The times are those of the rules: read off the rates, they are nearer to the truth than
        those of the network.
        """
        spans = moving_spans(readings, present(scores), CRITERIA)
        return {
            name: tuple(self._weighed(readings, name, scores[name], span) for span in found)
            for name, found in spans.items()
        }

    def _weighed(self, readings: Sequence[Reading], name: str, score: float, span: Span) -> Span:
        times = np.linspace(span.start, span.end, max(round(span.length / MOMENT), 1) + 1)
        now = self.along(readings, (name,), times)[name]
        return replace(span, score=score * float(now.mean()))


def scores_of(chances: FloatArray) -> dict[str, float]:
    """Scores by name, from (labels,) chances; a combined move is no surer than its parts."""
    scores = {d.name: float(chance) for d, chance in zip(DEFINITIONS, chances, strict=True)}
    for name, parts in COMBINED.items():
        scores[name] = min(scores[name], *(scores[part] for part in parts))
    return scores


def _bytes_of(weights: str) -> bytes:
    """The file, or as much of it as tells that it is too large."""
    try:
        with Path(weights).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"weights {weights} cannot be read: {error.strerror}") from error


def _networks(data: bytes, weights: str) -> dict[str, Network]:
    """What a file holds; networks that look at other features than these would answer nonsense."""
    networks, recipe = from_bytes(data, f"weights {weights}")
    # Those that somebody refitted are of the version of those that they started from.
    recipe = recipe.get("started from", recipe)
    for name, features in _FEATURES.items():
        try:
            told = tuple(recipe["questions"][name]["features"])
        except (KeyError, TypeError):
            told = ()
        if name in networks and (told, networks[name].width) != (features, len(features)):
            raise ValueError(
                f"weights {weights} are of another version, which looked at other features: "
                "make them anew with 'dollygrip train'"
            )
    return networks
