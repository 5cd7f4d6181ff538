"""The classifier's interface, and the records that are the same for every classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dollygrip.classifiers.attributes import merged
from dollygrip.classifiers.captions import failure_caption, shots_caption
from dollygrip.classifiers.labels import DEFINITIONS
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.trajectory import Hypothesis


class Classifier(Protocol):
    """Says what a camera's path would be called."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    @property
    def settings(self) -> Any:
        """A frozen dataclass."""
        ...

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot.

        Args:
            hypotheses: All explanations of the shot, likeliest first.
            start: Start of the shot, seconds from the first frame of the clip.
            end: End of the shot, seconds from the first frame of the clip.
            doubts: What the estimator doubts.
            diagnostics: Numbers from the estimator, passed on.

        Returns:
            The labels; a failure where the paths allow none.
        """
        ...


def failed(
    failure: Failure,
    *,
    start: float,
    end: float,
    doubts: Sequence[Failure] = (),
    diagnostics: Mapping[str, Any] | None = None,
) -> ShotLabels:
    """The record of a shot without an answer."""
    return ShotLabels(
        start=start,
        end=end,
        failure=failure,
        doubts=tuple(doubts),
        caption=failure_caption(failure),
        diagnostics=dict(diagnostics or {}),
    )


def combine(shots: Sequence[ShotLabels]) -> ShotLabels:
    """What holds for a clip, from what holds for its shots.

    A move is in the clip when it is in a shot; the clip is static when all its shots are. Shots
    that failed have no say, except that they lower the trust; a few frames of another shot at a
    cut are no more than a doubt.

    Args:
        shots: In order of time.

    Returns:
        The record of the clip; the shot's own where there is only one.

    Raises:
        ValueError: There are no shots.
    """
    if not shots:
        raise ValueError("a clip has at least one shot")
    if len(shots) == 1:
        return shots[0]
    start, end = min(shot.start for shot in shots), max(shot.end for shot in shots)
    cut = Failure(Reason.CUT_INSIDE, f"The clip has {len(shots)} shots; see each of them.")
    doubts = (cut, *(doubt for shot in shots for doubt in shot.doubts))
    told = [shot for shot in shots if shot.failure is None]
    if not told:
        longest = max(shots, key=lambda shot: shot.end - shot.start)
        assert longest.failure is not None
        return failed(longest.failure, start=start, end=end, doubts=_once(doubts))
    failures = [shot.failure for shot in shots if shot.failure is not None]
    snippets = [failure for failure in failures if failure.reason is Reason.TOO_SHORT]
    if snippets:
        said = f"{len(snippets)} of {len(shots)} shots are too short to tell."
        failures = [f for f in failures if f not in snippets] + [Failure(Reason.TOO_SHORT, said)]
    scores = {
        d.name: (min if d.name == "static" else max)(shot.scores[d.name] for shot in told)
        for d in DEFINITIONS
    }
    still = all("static" in shot.labels for shot in told)
    present = {label for shot in told for label in shot.labels if label != "static" or still}
    weights = [max(shot.end - shot.start, 1e-6) for shot in shots]
    return ShotLabels(
        start=start,
        end=end,
        labels=tuple(d.name for d in DEFINITIONS if d.name in present),
        scores=scores,
        segments=tuple(segment for shot in shots for segment in shot.segments),
        ambiguous=_once(pair for shot in told for pair in shot.ambiguous),
        trust=sum(w * s.trust for w, s in zip(weights, shots, strict=True)) / sum(weights),
        doubts=_once((*doubts, *failures)),
        attributes=merged([shot.attributes for shot in told]),
        caption=shots_caption(
            [(i, s.caption) for i, s in enumerate(shots, start=1) if s.failure not in snippets]
        ),
    )


def _once(items: Any) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(items))
