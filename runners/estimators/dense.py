"""Dense flow and bundle adjustment in torch: MegaSaM's recipe with classical parts.

After Li et al., CVPR 2025 (arXiv 2412.04463): dense flow between the pairs of a frame graph, an
inverse depth and a movement probability for every cell of every keyframe, the focal length as a
variable, uncertainty-weighted bundle adjustment, and a monocular depth prior where parallax says
little. In place of its networks: classical flow (``dense_flow.py``), graduated non-convexity so
that no start is needed (``dense_bundle.py``), the ladder of models, so that zooms and pure turns
are told from travel (``dense_ladder.py``), and no weights unless a depth model is named
(``dense_depth.py``). Point tracks cut a shot into pieces, place the keyframes and tell whether the
camera stands still, as they do for ``flow``.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dollygrip.runners import needs
from dollygrip.runners.estimators import answer
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.needs import Need
from dollygrip.runners.video import Frame, FrameRequest

if TYPE_CHECKING:
    from dollygrip.runners.estimators.dense_depth import DepthProvider
    from dollygrip.runners.estimators.dense_pieces import Told

_INSTALL = "pip install 'dollygrip[dense]'"


@dataclass(frozen=True)
class DenseSettings:
    """Settings of the dense estimator.

    Attributes:
        long_side: Pictures are shrunk to this long side, pixels.
        rate: Pictures a second.
        window: Seconds that are adjusted together; longer shots are chained.
        keyframes: Pictures of a window that enter the adjustment.
        device: Where the adjustment runs: "auto" takes a CUDA device when there is one.
        depth_model: Name or folder of a depth estimation model for ``transformers``, such as a
            Depth Anything checkpoint; none when not given.
        depth_download: Whether the model may be fetched when it is not on this machine.
        maps: Whether to give depth and movement of every cell of the keyframes.
        batch: So many clips are estimated together; a GPU has more to do then.
    """

    long_side: int = 384
    rate: float = 8.0
    window: float = 6.0
    keyframes: int = 16
    device: Literal["auto", "cpu", "cuda"] = "auto"
    depth_model: str | None = None
    depth_download: bool = False
    maps: bool = False
    batch: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if self.long_side < answer.SMALLEST:
            raise ValueError(f"long_side must be at least {answer.SMALLEST}, not {self.long_side}")
        if min(self.rate, self.window) <= 0:
            raise ValueError("rate and window must be positive")
        if self.keyframes < answer.FEWEST_FRAMES:
            raise ValueError(f"keyframes must be at least {answer.FEWEST_FRAMES}")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, not {self.batch}")


DEFAULTS = DenseSettings()


class DenseEstimator:
    """Camera path from dense flow; see the module's text."""

    name = "dense"

    def __init__(
        self, settings: DenseSettings = DEFAULTS, *, depth: "DepthProvider | None" = None
    ) -> None:
        """Store the settings, and load the depth model that they name.

        Args:
            settings: The settings.
            depth: A source of monocular depth, in place of the setting ``depth_model``.

        Raises:
            ImportError: A package is not installed.
            ValueError: There is no such device or depth model here.
        """
        self.settings = settings
        self.device = _device(settings.device)
        self.depth = depth
        if depth is None and settings.depth_model is not None:
            from dollygrip.runners.estimators.dense_depth import load_depth_model

            self.depth = load_depth_model(
                settings.depth_model, self.device, download=settings.depth_download
            )
        self.frame_request = FrameRequest(
            settings.long_side, settings.rate, color=self.depth is not None
        )

    @staticmethod
    def needs(settings: DenseSettings) -> tuple[Need, ...]:
        """What has to be there."""
        found = [needs.package("torch", _INSTALL)]
        if settings.device == "cuda":
            found.append(needs.gpu())
        if settings.depth_model is not None:
            found.append(needs.package("transformers", "pip install transformers"))
        return tuple(found)

    @staticmethod
    def gpus(settings: DenseSettings, there: bool) -> float:
        """How many GPUs it takes to itself."""
        return float(settings.device == "cuda" or (settings.device == "auto" and there))

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        return self.estimate_many([frames])[0]

    def estimate_many(self, shots: Sequence[Iterable[Frame]]) -> list[Estimate]:
        """The paths through several shots, adjusted together; the same as one by one.

        Memory grows with the number of shots, but not with their length (but for the maps, where
        they are asked for).
        """
        from dollygrip.runners.estimators.dense_pieces import explain, pieces

        started = time.perf_counter()
        settings = self.settings
        told: list[list[Told]] = [[] for _ in shots]
        with _one_thread():
            readings = [
                pieces(frames, settings.window, settings.keyframes, self.depth) for frames in shots
            ]
            for row in zip_longest(*readings):
                there = [(number, piece) for number, piece in enumerate(row) if piece is not None]
                done = explain([piece for _, piece in there], self.device, maps=settings.maps)
                for (number, _), one in zip(there, done, strict=True):
                    told[number].append(one)
        seconds = (time.perf_counter() - started) / max(1, len(shots))
        return [self._estimate(one, seconds) for one in told]

    def _estimate(self, told: "Sequence[Told]", seconds: float) -> Estimate:
        """The answer for a shot from what its pieces told."""
        from dollygrip.runners.estimators.dense_maps import joined

        accounts = [one.account for one in told]
        failure = answer.unusable(accounts)
        known = {} if failure else answer.diagnostics(accounts)
        return Estimate(
            () if failure else answer.hypotheses(accounts),
            failure,
            diagnostics={} if failure else known | _numbers(told, known["model"], self.device),
            doubts=() if failure else answer.doubts(accounts),
            seconds=seconds,
            estimator=self.name,
            settings=asdict(self.settings),
            maps=None
            if failure
            else joined([one.maps[known["model"]] for one in told if one.maps]),
        )


def _numbers(told: "Sequence[Told]", model: str, device: str) -> dict[str, Any]:
    """Diagnostics that only dense flow has."""
    done = [one for one in told if one.pairs]
    return {
        "keyframes": sum(one.keyframes for one in done),
        "pairs": sum(one.pairs for one in done),
        "residual": round(float(np.median([one.residuals[model] for one in done])), 3),
        "focal": round(float(np.median([one.focals[model] for one in done])), 1),
        "device": device,
    }


def _device(wanted: str) -> str:
    """The device to adjust on: "cpu" or "cuda"."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"the dense estimator needs torch: {_INSTALL}") from error
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ValueError("device is cuda, but torch finds no CUDA device; take auto or cpu")
    return "cuda" if there and wanted != "cpu" else "cpu"


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch, as workers share the processors; afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
