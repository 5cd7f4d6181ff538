"""Tiny clips, and an estimator package that misbehaves on demand."""

import os

# Small matrices: threads of BLAS would only spin, and wait for each other on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ClipWriter = Callable[[Path, Iterable[npt.NDArray[np.uint8]]], Path]

# What the estimator ``moody`` does is told by the grey level of the first frame.
GREY_ABORTS, GREY_HANGS, GREY_RAISES, GREY_PANS = 20, 70, 120, 170

_MOODY = """
import os, time
from dataclasses import dataclass
import cv2
import numpy as np
from threadpoolctl import threadpool_info
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.video import FrameRequest

@dataclass(frozen=True)
class Inner:
    weight: float = 1.0

@dataclass(frozen=True)
class MoodySettings:
    pan_deg: float = 30.0
    steps: int = 3
    eager: bool = True
    sides: tuple[int, int] = (1, 2)
    limit: float | None = None
    inner: Inner = Inner()

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError("steps must be at least 1")

class MoodyEstimator:
    name = "moody"
    frame_request = FrameRequest(long_side=64)

    def __init__(self, settings: MoodySettings = MoodySettings()):
        self.settings = settings

    def estimate(self, frames):
        frames = list(frames)
        grey = int(np.median(frames[0].image))
        if grey < 45:
            os.abort()
        if grey < 95:
            time.sleep(600)
        if grey < 145:
            raise KeyError("first line\\nsecond line")
        times = np.array([frame.time for frame in frames])
        if len(times) < 2:
            return Estimate((), failure=Failure(Reason.TOO_SHORT, "One frame does not move."))
        angles = np.zeros((len(times), 3))
        angles[:, 0] = self.settings.pan_deg * (times - times[0]) / (times[-1] - times[0])
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        poses[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
        trajectory = Trajectory.from_poses(times, poses, size=(64, 48), scene_depth=1.0)
        pools = [pool["num_threads"] for pool in threadpool_info()]
        threads = max(cv2.getNumThreads(), *pools)
        diagnostics = {"pools": pools, "threads": threads, "spread": np.float64("nan")}
        return Estimate((Hypothesis("rotation", 1.0, trajectory),), diagnostics=diagnostics)

@dataclass(frozen=True)
class TogetherSettings:
    batch: int = 3

class MoodyTogether(MoodyEstimator):
    name = "moody_together"

    def __init__(self, settings: TogetherSettings = TogetherSettings()):
        super().__init__()
        self.settings_together = settings

    def estimate_many(self, shots):
        estimates = [MoodyEstimator.estimate(self, shot) for shot in shots]
        for estimate in estimates:
            estimate.diagnostics["together"] = len(shots)
        return estimates
"""


@pytest.fixture
def write_clip() -> ClipWriter:
    """Writes (H, W) or (H, W, 3) pictures as a clip of 12 frames a second."""

    def write(path: Path, images: Iterable[npt.NDArray[np.uint8]]) -> Path:
        # The index first, so that a file that is cut off can still be read up to there.
        options = {"movflags": "faststart"}
        with av.open(str(path), "w", format="mp4", options=options) as container:
            stream = container.add_stream("libx264", rate=12, options={"crf": "12"})
            stream.pix_fmt = "yuv420p"
            for number, image in enumerate(images):
                if number == 0:
                    stream.height, stream.width = image.shape[:2]
                kind = "gray" if image.ndim == 2 else "rgb24"
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=kind)))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def grey_clip(write_clip: ClipWriter) -> Callable[[Path, int], Path]:
    """Writes one second of one grey level."""

    def write(path: Path, grey: int) -> Path:
        return write_clip(path, [np.full((48, 64), grey, np.uint8)] * 12)

    return write


@pytest.fixture
def moody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """Installs, for one test, a third-party package with the estimator ``moody``."""
    site = tmp_path_factory.mktemp("site")
    (site / "moody_estimator.py").write_text(_MOODY)
    about = site / "moody-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dollygrip.estimators]\nmoody = moody_estimator:MoodyEstimator\n"
        "moody_together = moody_estimator:MoodyTogether\n"
    )
    monkeypatch.syspath_prepend(str(site))
    return "moody"


# Where the middle of the picture goes, and how the picture turns and grows.
SEEN = {
    "pan_right": ("x", -1),
    "pan_left": ("x", 1),
    "truck_right": ("x", -1),
    "truck_left": ("x", 1),
    "tilt_up": ("y", 1),
    "tilt_down": ("y", -1),
    "pedestal_up": ("y", 1),
    "pedestal_down": ("y", -1),
    # With y down, a positive angle is clockwise: the picture turns against the camera.
    "roll_cw": ("turn", -1),
    "roll_ccw": ("turn", 1),
    "dolly_in": ("size", 1),
    "dolly_out": ("size", -1),
    "zoom_in": ("size", 1),
    "zoom_out": ("size", -1),
}


@pytest.fixture
def seen_as() -> dict[str, tuple[str, int]]:
    """What each move does to the picture: (x, y, turn or size, sign)."""
    return SEEN
