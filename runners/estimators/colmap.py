"""Structure from motion by COLMAP: incremental (``colmap``) or global mapping (``glomap``).

Some pictures of the shot are matched and mapped with the focal length held at what is expected,
which is then freed and kept only where the pictures tell it. Without parallax there is nothing to
map: ``colmap`` then says so, and ``glomap`` gives the rotations alone. With one focal length for
the whole shot a zoom would look like a dolly; where it may be one, both are answers.

COLMAP runs in a child process (``colmap_child.py``), since it may abort, hang or fill the memory.
"""

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.ladder import ROTATION, ZOOM
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.runners.children import Limits, run
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.turns import unit_of
from dollygrip.runners.pictures import Pictures, write_pictures
from dollygrip.runners.scratch import scratch_folder
from dollygrip.runners.video import Frame, FrameRequest

Mapper = Literal["incremental", "global"]

_CHILD = "dollygrip.runners.estimators.colmap_child"
_FEWEST_PICTURES, _SMALLEST = 3, 48
# A picture with fewer features has nothing to match.
_FEWEST_FEATURES = 40
# Shares of the pictures: below the first there is no answer, below the second a doubt.
_REGISTERED, _SURELY_REGISTERED = 0.5, 0.8
# A scene of fewer points a picture is one by chance.
_FEWEST_POINTS = 2.0
# Pixels of a picture 480 wide: rendered scenes that are right have 0.5 and less, zooms taken for
# travel 0.8, mixtures of two motions 1.6. Doubted from the first on, given up from the second.
_LARGE_ERROR, _HUGE_ERROR = 0.6, 1.2


@dataclass(frozen=True)
class ColmapSettings:
    """Settings of ``colmap`` and ``glomap``.

    Attributes:
        long_side: Pictures are shrunk to this long side, pixels.
        rate: Pictures a second, of which
        pictures: at most this many are used, evenly over the shot.
        features: SIFT features a picture, at most.
        overlap: Each picture is matched with so many that follow it, and with some farther on.
        focal: "prior" keeps the expected focal length; "refined" takes the one that the pictures
            tell, if they do; "per_frame" lets it change during the shot, if they tell that.
        seed: Of all that is random.
        threads: Of COLMAP; clips are better run side by side.
        seconds: COLMAP is stopped after this long.
        memory_mb: COLMAP is stopped when it takes more.
    """

    long_side: int = 640
    rate: float = 8.0
    pictures: int = 32
    features: int = 2048
    overlap: int = 6
    focal: Literal["prior", "refined", "per_frame"] = "refined"
    seed: int = 0
    threads: int = 1
    seconds: float = 300.0
    memory_mb: int = 4000

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if self.long_side < _SMALLEST:
            raise ValueError(f"long_side must be at least {_SMALLEST}, not {self.long_side}")
        if self.rate <= 0:
            raise ValueError("rate must be positive")
        if self.pictures < _FEWEST_PICTURES:
            raise ValueError(f"pictures must be at least {_FEWEST_PICTURES}, not {self.pictures}")
        if min(self.features, self.overlap, self.threads) < 1 or self.seed < 0:
            raise ValueError("features, overlap and threads must be positive, seed not negative")
        Limits(self.seconds, self.memory_mb)


DEFAULTS = ColmapSettings()


class ColmapEstimator:
    """Camera path by incremental mapping; see the module's text."""

    name = "colmap"
    mapper: Mapper = "incremental"

    def __init__(self, settings: ColmapSettings = DEFAULTS) -> None:
        """Store the settings."""
        self.settings = settings
        self.frame_request = FrameRequest(settings.long_side, settings.rate)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        started = time.perf_counter()
        with scratch_folder() as folder:
            estimate = self._estimated(frames, folder)
        return replace(
            estimate,
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(self.settings),
        )

    def _estimated(self, frames: Iterable[Frame], folder: Path) -> Estimate:
        """The answer, worked out in an empty folder."""
        (folder / "pictures").mkdir()
        pictures = write_pictures(frames, folder / "pictures", self.settings.pictures)
        failure = _unusable(pictures)
        if failure is not None:
            return Estimate((), failure)
        (folder / "job.json").write_text(json.dumps(self._job(pictures)))
        ended = run(
            [sys.executable, "-P", "-m", _CHILD, str(folder)],
            folder=folder,
            limits=Limits(self.settings.seconds, self.settings.memory_mb),
        )
        failure = ended.failure(self.name)
        if failure is not None:
            return Estimate((), failure)
        report = json.loads((folder / "report.json").read_text())
        failure = _no_answer(report, pictures, self.name)
        if failure is not None:
            return Estimate((), failure, diagnostics=report)
        hypotheses = tuple(
            Hypothesis(model, probability, _path(folder / f"{model}.npz", pictures))
            for model, probability in report["models"].items()
        )
        return Estimate(hypotheses, diagnostics=report, doubts=_doubts(report, pictures))

    def _job(self, pictures: Pictures) -> dict[str, Any]:
        """The fields of ``colmap_child.Job``."""
        settings = self.settings
        return {
            "names": pictures.names,
            "size": pictures.size,
            "focal_length": FOCAL_PRIOR * max(pictures.size),
            "mapper": self.mapper,
            "focal": settings.focal,
            "features": settings.features,
            "overlap": settings.overlap,
            "threads": settings.threads,
            "seed": settings.seed,
        }


class GlomapEstimator(ColmapEstimator):
    """Camera path by global mapping, or its rotations alone; see the module's text."""

    name = "glomap"
    mapper: Mapper = "global"

    def __init__(self, settings: ColmapSettings = DEFAULTS) -> None:
        """Store the settings."""
        super().__init__(settings)


def _path(file: Path, pictures: Pictures) -> Trajectory:
    with np.load(file, allow_pickle=False) as arrays:
        return Trajectory(
            times=pictures.times,
            rotations=arrays["rotations"],
            centers=arrays["centers"],
            focals=arrays["focals"],
            size=pictures.size,
            valid=arrays["valid"],
            sigmas=arrays["sigmas"],
            scene_depth=1.0,
        )


def _unusable(pictures: Pictures) -> Failure | None:
    """Why these pictures need not be tried, if so."""
    count = len(pictures.names)
    if count < _FEWEST_PICTURES:
        message = f"There are only {count} pictures; COLMAP needs {_FEWEST_PICTURES}."
        return Failure(Reason.TOO_SHORT, message)
    if max(pictures.size) < _SMALLEST:
        width, height = pictures.size
        return Failure(
            Reason.TOO_SMALL,
            f"Pictures of {width}x{height} pixels are too small; "
            f"{_SMALLEST} pixels on the long side are the least.",
        )
    return None


def _no_answer(report: dict[str, Any], pictures: Pictures, who: str) -> Failure | None:
    """Why what COLMAP found is no answer, if so."""
    count = report["pictures"]
    if report["features"] < _FEWEST_FEATURES:
        return Failure(
            Reason.NO_TEXTURE,
            f"{who} finds only {report['features']:.0f} features a picture; "
            "the pictures are too dark, too blurred or too plain for it. Try flow.",
        )
    if "turn_error" not in report:
        return Failure(
            Reason.DID_NOT_CONVERGE,
            f"{who} cannot match the pictures with each other; they differ too much. Try flow, "
            "or a higher rate.",
        )
    if not report["models"]:
        if report["turn_explains"]:
            return Failure(
                Reason.NO_PARALLAX_SCALE,
                f"Without parallax {who} cannot start: the camera may have stood still or only "
                "turned. Try flow, or glomap, which tells turns.",
            )
        return Failure(
            Reason.DID_NOT_CONVERGE,
            f"{who} finds no scene that explains the pictures: there is too little parallax, or "
            "something large moves by itself, or the lens zooms. Try flow.",
        )
    registered = report["registered"]
    if registered < max(_FEWEST_PICTURES, _REGISTERED * count):
        return Failure(
            Reason.FEW_FRAMES_REGISTERED,
            f"{who} could place only {registered} of {count} pictures. Try flow, or a higher rate.",
        )
    if ROTATION in report["models"]:
        return None
    if report["points"] < _FEWEST_POINTS * count:
        return Failure(
            Reason.DID_NOT_CONVERGE,
            f"{who} finds only {report['points']} points in the scene, too few to be sure that "
            "the camera travels. Try flow.",
        )
    error = report["reprojection_error"]
    if error > _HUGE_ERROR * unit_of(max(pictures.size)):
        return Failure(
            Reason.DYNAMIC_SCENE,
            f"{who} finds no rigid scene: what it finds is {error:.1f} pixels off in the mean. "
            "Something large moves by itself, or the lens zooms. Try flow.",
        )
    return None


def _doubts(report: dict[str, Any], pictures: Pictures) -> tuple[Failure, ...]:
    """What makes the answer less certain."""
    doubts = []
    count, registered = report["pictures"], report["registered"]
    if registered < _SURELY_REGISTERED * count:
        message = f"Only {registered} of {count} pictures could be placed."
        doubts.append(Failure(Reason.FEW_FRAMES_REGISTERED, message))
    if ROTATION in report["models"]:
        if not report["turn_explains"]:
            message = "The camera turns, and may also travel a little; there is no telling where."
            doubts.append(Failure(Reason.NO_PARALLAX_SCALE, message))
        return tuple(doubts)
    if report["zoom_explains"] and ZOOM not in report["models"]:
        message = (
            "A zoom explains the pictures as well as travel does; with a fixed focal length COLMAP "
            "cannot tell. Compare with flow."
        )
        doubts.append(Failure(Reason.AMBIGUOUS_ZOOM_DOLLY, message))
    error = report["reprojection_error"]
    if error > _LARGE_ERROR * unit_of(max(pictures.size)):
        message = (
            f"The scene explains the pictures poorly ({error:.2f} pixels off in the mean): the "
            "focal length is another or changes, or something large moves. Compare with flow."
        )
        doubts.append(Failure(Reason.DYNAMIC_SCENE, message))
    return tuple(doubts)
