"""The estimator ``auto``: the embedded one, and where it is unsure another one that is installed.

``flow`` looks first. It is quick, and where it is sure nobody else is asked. Where it has no
answer, or says itself that much in the pictures is unexplained or that several readings are about
as likely, the first estimator of a list that can run here looks, too. Neither is believed for its
own confidence: both paths are held against the same points, followed through the same pictures, and
the other one is taken when it explains clearly more of them. A path with a wrong sign explains next
to nothing.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from dollygrip.classifiers.reliability import Reason
from dollygrip.geometry.ladder import STATIC
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.base import Estimate, Estimator, estimated
from dollygrip.runners.estimators.flow import FlowEstimator, FlowSettings
from dollygrip.runners.estimators.structure import agreement
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.needs import gpu, missing
from dollygrip.runners.registry import Choice, choose
from dollygrip.runners.video import Frame, FrameRequest

# Another estimator may see more than ``flow`` where it ended for these reasons.
_WORTH_ASKING = (Reason.DID_NOT_CONVERGE, Reason.NO_TEXTURE)


@dataclass(frozen=True)
class AutoSettings:
    """Who is asked, and when.

    Attributes:
        ask: Estimators in the order in which they are asked; the first that can run is.
        sure: From this probability of its likeliest reading on, ``flow`` is sure.
        least: Share of what is seen that the other one must explain.
        most: Pictures of a shot that are kept for the other one; longer shots are thinned.
        flow: Settings of ``flow``.
    """

    ask: tuple[str, ...] = ("megasam", "dense", "colmap")
    sure: float = 0.7
    least: float = 0.3
    most: int = 120
    flow: FlowSettings = field(default_factory=FlowSettings)

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if not self.ask or "auto" in self.ask:
            raise ValueError("ask must name at least one estimator, and not auto itself")
        if not 0.0 < self.least <= 1.0:
            raise ValueError(f"least must be a share above 0, not {self.least}")
        if self.most < 8:
            raise ValueError(f"most must be at least 8, not {self.most}")


DEFAULTS = AutoSettings()


class AutoEstimator:
    """Asks a second estimator where the first is unsure; see the module's text."""

    name = "auto"

    def __init__(self, settings: AutoSettings = DEFAULTS) -> None:
        """Find out who can be asked."""
        self.settings = settings
        self._flow = FlowEstimator(settings.flow)
        self._choice, self._missing = _first_ready(settings.ask)
        # Programs that estimate depth want colour.
        color = self._choice is not None
        self.frame_request = FrameRequest(settings.flow.long_side, settings.flow.rate, color=color)

    @staticmethod
    def gpus(settings: AutoSettings, there: bool) -> float:
        """How many GPUs the second one takes to itself, if there are any on other machines."""
        second = _first_ready(settings.ask, gpu_elsewhere=True)[0] if there else None
        return 0.0 if second is None else second.gpus(there)

    @cached_property
    def _second(self) -> Estimator | None:
        """Made when it is first asked: that may load more than all the rest."""
        if self._choice is None:
            return None
        made: Estimator = self._choice.make()
        return made

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        started = time.perf_counter()
        kept = _Kept(frames, self.settings.most)
        first = self._flow.estimate(map(_grey, kept))
        why = _unsure(first, self.settings.sure)
        if why is None:
            taken, decided = first, {"by": self._flow.name, "because": "it is sure"}
        elif self._second is None:
            taken, decided = first, {"by": self._flow.name, "because": f"{why}; {self._missing}"}
        else:
            second = estimated(self._second, kept.frames)
            taken, decided = self._decided(first, second, track_points(map(_grey, kept.frames)))
            decided["because"] = f"{why}; {decided['because']}"
        return replace(
            taken,
            diagnostics={**taken.diagnostics, "decided": decided},
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(self.settings),
        )

    def _decided(
        self, first: Estimate, second: Estimate, tracks: Tracks
    ) -> tuple[Estimate, dict[str, Any]]:
        """Whose answer is taken, and why."""
        assert self._second is not None
        names = self._flow.name, self._second.name
        if second.failure is not None:
            because = f"{names[1]} has no answer: {second.failure.message}"
            return first, {"by": names[0], "because": because}
        explained = [_explained(estimate.trajectory, tracks) for estimate in (first, second)]
        shares = " and ".join(f"{n} {e:.0%}" for n, e in zip(names, explained, strict=True))
        about = {"because": f"of what is seen, {shares} is explained"}
        if explained[1] < max(self.settings.least, 0.5 * explained[0]):
            return first, {"by": names[0], **about}
        if first.failure is not None:
            return second, {"by": names[1], **about}
        return _joined((first, second), explained), {"by": f"{names[0]} and {names[1]}", **about}


class _Kept:
    """Frames passed on, of which at most so many are kept, evenly."""

    def __init__(self, frames: Iterable[Frame], most: int) -> None:
        self._frames = frames
        self._most = most
        self.frames: list[Frame] = []

    def __iter__(self) -> Iterator[Frame]:
        every = 1
        for number, frame in enumerate(self._frames):
            if number % every == 0:
                self.frames.append(frame)
                if len(self.frames) > self._most:
                    self.frames, every = self.frames[::2], 2 * every
            yield frame


def _first_ready(names: Iterable[str], *, gpu_elsewhere: bool = False) -> tuple[Choice | None, str]:
    """The first estimator that can run here, or with a GPU could; or else why none can."""
    lacking = []
    for name in names:
        choice = choose("estimator", name)
        needs = choice.needs()
        if gpu_elsewhere:
            needs = tuple(need for need in needs if need.what != gpu().what)
        failure = missing(needs, name)
        if failure is None:
            return choice, ""
        lacking.append(failure.message)
    return None, " ".join(lacking)


def _joined(estimates: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """One estimate with the readings of several, weighed."""
    total = sum(weights)
    readings = [
        replace(hypothesis, probability=weight / total * hypothesis.probability)
        for estimate, weight in zip(estimates, weights, strict=True)
        for hypothesis in estimate.hypotheses
    ]
    readings.sort(key=lambda hypothesis: -hypothesis.probability)
    doubts = {doubt.reason: doubt for estimate in estimates for doubt in estimate.doubts}
    return replace(estimates[0], hypotheses=tuple(readings), doubts=tuple(doubts.values()))


def _unsure(estimate: Estimate, sure: float) -> str | None:
    """Why somebody else should look, if so."""
    if estimate.failure is not None:
        said = estimate.failure
        return f"flow has no answer ({said.reason})" if said.reason in _WORTH_ASKING else None
    likeliest = estimate.hypotheses[0]
    if likeliest.probability < sure:
        return f"flow is not sure ({likeliest.model} {likeliest.probability:.2f})"
    # A picture that stands still proves a still camera, whatever else moves in it.
    moves = any(doubt.reason is Reason.DYNAMIC_SCENE for doubt in estimate.doubts)
    if moves and likeliest.model != STATIC:
        return "much moves otherwise than flow's path says"
    return None


def _explained(path: Trajectory | None, tracks: Tracks) -> float:
    if path is None or not path.valid.any():
        return 0.0
    share = agreement(tracks, resample(path, tracks.times))
    return share if np.isfinite(share) else 0.0


def _grey(frame: Frame) -> Frame:
    if frame.image.ndim == 2:
        return frame
    grey = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), np.uint8)
    return replace(frame, image=grey)
