"""What is said of one clip: segments on a timeline, labels of each shot, the whole record."""

from dataclasses import dataclass, field
from typing import Any, Self

from dollygrip.classifiers.reliability import Failure, Reason

SCHEMA_VERSION = 1

# Clips are ranked by their scores; coarser ones would tie.
_DIGITS = 6


@dataclass(frozen=True)
class Segment:
    """One move on the timeline.

    Attributes:
        motion: A label of :mod:`dollygrip.classifiers.labels`.
        start: Seconds from the first frame of the clip.
        end: Seconds from the first frame of the clip.
        score: 0 to 1.
    """

    motion: str
    start: float
    end: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "motion": self.motion,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "score": round(self.score, _DIGITS),
        }


@dataclass(frozen=True)
class ShotLabels:
    """What a classifier says of one shot.

    Attributes:
        start: Seconds from the first frame of the clip at which the shot starts.
        end: Seconds at which it ends.
        labels: Primitives and derived moves that are present, in the order of the vocabulary.
        scores: 0 to 1 for every label of the vocabulary; empty on failure.
        segments: The timeline, by start; seconds from the first frame of the clip.
        ambiguous: Pairs of labels the evidence cannot tell apart.
        failure: Why there are no labels; None for an answer.
        trust: 0 to 1: how far the answer as a whole can be believed.
        doubts: What lowers the trust.
        attributes: Levels of steadiness, speed and complexity, and amounts of motion.
        caption: One plain English sentence.
        diagnostics: Numbers from the estimator.
    """

    start: float
    end: float
    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    ambiguous: tuple[tuple[str, str], ...] = ()
    failure: Failure | None = None
    trust: float = 0.0
    doubts: tuple[Failure, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    caption: str = ""
    diagnostics: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "labels": list(self.labels),
            "scores": {name: round(score, _DIGITS) for name, score in self.scores.items()},
            "segments": [segment.to_dict() for segment in self.segments],
            "ambiguous": [list(pair) for pair in self.ambiguous],
            "failure": None if self.failure is None else _reason_dict(self.failure),
            "trust": round(self.trust, _DIGITS),
            "doubts": [_reason_dict(doubt) for doubt in self.doubts],
            "attributes": self.attributes,
            "caption": self.caption,
            "diagnostics": self.diagnostics,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            KeyError: A field is missing.
        """
        failure = data["failure"]
        return cls(
            start=data["start"],
            end=data["end"],
            labels=tuple(data["labels"]),
            scores=dict(data["scores"]),
            segments=tuple(Segment(**segment) for segment in data["segments"]),
            ambiguous=tuple((pair[0], pair[1]) for pair in data["ambiguous"]),
            failure=None if failure is None else _reason(failure),
            trust=data["trust"],
            doubts=tuple(_reason(doubt) for doubt in data["doubts"]),
            attributes=dict(data["attributes"]),
            caption=data["caption"],
            diagnostics=dict(data["diagnostics"]),
        )


@dataclass(frozen=True)
class ClipLabels:
    """The record of one clip: one line of ``results.jsonl``.

    Attributes:
        clip_id: Stable name of the clip inside a run, safe as a file name.
        path: The file as it was given.
        whole: What holds for the clip as a whole; its fields stand at the top of the record.
        shots: The same for each shot; one entry where the clip has no cut.
        provenance: Estimator, classifier, version, settings hash, content hash, seconds.
        schema_version: Version of this layout.
    """

    clip_id: str
    path: str
    whole: ShotLabels
    shots: tuple[ShotLabels, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels present in the clip."""
        return self.whole.labels

    @property
    def scores(self) -> dict[str, float]:
        """0 to 1 for every label of the vocabulary."""
        return self.whole.scores

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The timeline."""
        return self.whole.segments

    @property
    def failure(self) -> Failure | None:
        """Why there are no labels."""
        return self.whole.failure

    @property
    def caption(self) -> str:
        """One plain English sentence."""
        return self.whole.caption

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data, keys in the order of the published schema."""
        return {
            "schema_version": self.schema_version,
            "clip_id": self.clip_id,
            "path": self.path,
            **self.whole.to_dict(),
            "shots": [shot.to_dict() for shot in self.shots],
            "provenance": self.provenance,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            ValueError: The data has another schema version or lacks a field.
        """
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"record has schema version {version}, expected {SCHEMA_VERSION}")
        try:
            return cls(
                clip_id=data["clip_id"],
                path=data["path"],
                whole=ShotLabels.from_dict(data),
                shots=tuple(ShotLabels.from_dict(shot) for shot in data["shots"]),
                provenance=dict(data["provenance"]),
            )
        except KeyError as error:
            raise ValueError(f"record lacks the field {error}") from error


def _reason_dict(failure: Failure) -> dict[str, str]:
    return {"reason": failure.reason.value, "message": failure.message}


def _reason(data: dict[str, str]) -> Failure:
    return Failure(Reason(data["reason"]), data["message"])
