"""MegaSaM, run from a checkout of https://github.com/mega-sam/mega-sam with its weights.

Its own steps, in its own order, each a child process: relative depth (Depth-Anything), metric depth
and field of view (UniDepth), camera tracking, and at will consistent video depth. They run in the
work folder, so that the checkout is only read and may serve several processes at once.

MegaSaM keeps one focal length for the whole shot: it sees a zoom as a dolly. The driving follows
the sources of its scripts and is tested with stand-ins for them; MegaSaM itself has not been run.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners import needs
from dollygrip.runners.children import Limits
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.program_poses import read_output, trajectory
from dollygrip.runners.estimators.programs import (
    NAME,
    PICTURES,
    Findings,
    Program,
    answer,
    do_step,
    enough,
    find_output,
    interpreter,
    own_folder,
    require,
    work_folder,
)
from dollygrip.runners.needs import Need
from dollygrip.runners.pictures import write_pictures
from dollygrip.runners.video import Frame, FrameRequest

_TITLE = "MegaSaM"
# Its tracking starts with so many keyframes.
_FEWEST = 8
_ABOUT = (
    "https://github.com/mega-sam/mega-sam; code: Apache-2.0, its UniDepth part CC BY-NC 4.0; "
    "weights: its own come with the code, those of UniDepth are CC BY-NC 4.0"
)
_INSTALL = (
    "clone https://github.com/mega-sam/mega-sam with its submodules and follow its README "
    "(environment, extensions, checkpoints)"
)
# Below the checkout.
_RELATIVE_DEPTH = "Depth-Anything/run_videos.py"
_METRIC_DEPTH = "UniDepth/scripts/demo_mega-sam.py"
_TRACKING = "camera_tracking_scripts/test_demo.py"
_FLOW = "cvd_opt/preprocess_flow.py"
_VIDEO_DEPTH = "cvd_opt/cvd_opt.py"
_TRACKING_WEIGHTS = "checkpoints/megasam_final.pth"
_DEPTH_WEIGHTS = "Depth-Anything/checkpoints/depth_anything_vitl14.pth"
_FLOW_WEIGHTS = "cvd_opt/raft-things.pth"

# Its README offers --opt_focal, but the official script for videos does not know that argument: it
# always asks for the optimisation. Some copies do know it.
_KNOWS_OPT_FOCAL = re.compile(r"^[^#\n]*add_argument\(\s*[\"']--opt_focal[\"']", re.MULTILINE)
# Runs the script named first with its arguments, and refuses what it asks for.
_FIXED_FOCAL = """
import runpy, sys
import droid
terminate = droid.Droid.terminate
def with_fixed_focal(self, *arguments, **named):
    return terminate(self, *arguments, **{**named, "_opt_intr": False})
droid.Droid.terminate = with_fixed_focal
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class MegasamSettings:
    """Settings of MegaSaM.

    Attributes:
        checkout: Its folder; the environment variable ``MEGASAM_ROOT`` when empty.
        python: The interpreter of its environment; ``MEGASAM_PYTHON`` when empty, and this one
            when that is not set.
        weights: Weights of the tracking, a path; in the checkout when empty.
        depth_weights: Weights of Depth-Anything, a path; in the checkout when empty.
        optimize_focal: Whether the focal length is adjusted where the motion shows it, or stays
            what UniDepth says.
        video_depth: Whether consistent video depth is computed too; it leaves the poses as they
            are and takes about as long as all the rest.
        rate: Pictures a second.
        long_side: Pictures are shrunk to this long side, pixels. MegaSaM itself tracks in 0.2
            megapixels and looks for depth in up to 768 pixels.
        most: At most this many pictures of a shot, evenly thinned.
        seconds: It is stopped after so long for a shot.
        memory_mb: It is stopped when it takes more.
        work: Folder to keep its pictures, results and log in; removed when empty.
    """

    checkout: str = ""
    python: str = ""
    weights: str = ""
    depth_weights: str = ""
    optimize_focal: bool = True
    video_depth: bool = False
    rate: float = 12.0
    long_side: int = 768
    most: int = 200
    seconds: float = 3600.0
    memory_mb: int = 32_768
    work: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if not (0.0 < self.rate < float("inf") and self.long_side >= 48):
            raise ValueError("rate must be positive and long_side at least 48")
        if self.most < _FEWEST:
            raise ValueError(f"most must be at least {_FEWEST}, not {self.most}")
        Limits(self.seconds, self.memory_mb)


DEFAULTS = MegasamSettings()


class MegasamEstimator:
    """Camera path from MegaSaM; see the module's text."""

    name = "megasam"

    def __init__(self, settings: MegasamSettings = DEFAULTS) -> None:
        """Store the settings."""
        self.settings = settings
        self.frame_request = FrameRequest(settings.long_side, settings.rate, color=True)

    @staticmethod
    def needs(settings: MegasamSettings) -> tuple[Need, ...]:
        """What has to be there."""
        checkout = _checkout(settings)
        remedy = f"{_INSTALL}; then set checkout, or MEGASAM_ROOT, to that folder"
        if checkout is None or not checkout.is_dir():
            own = needs.folder("a checkout of MegaSaM", checkout, "MEGASAM_ROOT", remedy)
            return own, needs.gpu()
        scripts = [_RELATIVE_DEPTH, _METRIC_DEPTH, _TRACKING]
        scripts += [_FLOW, _VIDEO_DEPTH] if settings.video_depth else []
        weights = [_tracking_weights(settings, checkout), _depth_weights(settings, checkout)]
        weights += [checkout / _FLOW_WEIGHTS] if settings.video_depth else []
        set_python = f"{_INSTALL}; then set python, or MEGASAM_PYTHON, to its Python"
        return (
            *(needs.file(f"its script {name}", checkout / name, _INSTALL) for name in scripts),
            *(needs.file(f"the weights {path.name}", path, _INSTALL) for path in weights),
            needs.packages(_python(settings), ("torch", "lietorch", "droid_backends"), set_python),
            needs.gpu(),
        )

    @staticmethod
    def gpus(settings: MegasamSettings, there: bool) -> float:
        """How many GPUs it takes to itself, whether or not there are any."""
        return 1.0

    @staticmethod
    def about(settings: MegasamSettings) -> str:
        """Where it comes from, and its licences."""
        return _ABOUT

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        return answer(self.name, asdict(self.settings), partial(self._find, frames))

    def _find(self, frames: Iterable[Frame], findings: Findings) -> Trajectory:
        settings = self.settings
        require(self.needs(settings), _TITLE)
        checkout = _checkout(settings)
        assert checkout is not None
        with work_folder(settings.work) as work:
            program = Program(_TITLE, work, Limits(settings.seconds, settings.memory_mb))
            shown = write_pictures(frames, work / PICTURES, settings.most)
            enough(shown, _TITLE, _FEWEST)
            steps = _Steps(program, checkout, settings, findings)
            steps.find_depth()
            steps.track()
            if settings.video_depth:
                steps.find_video_depth()
            path = find_output(
                program,
                f"outputs_cvd/{NAME}_sgd_cvd_hr.npz"
                if settings.video_depth
                else f"outputs/{NAME}_droid.npz",
            )
            cameras, used = read_output(program, path, "megasam")
            return trajectory(program, cameras, used, shown, findings)


@dataclass(frozen=True)
class _Steps:
    """The commands, as the scripts of the checkout run them."""

    program: Program
    checkout: Path
    settings: MegasamSettings
    findings: Findings

    def find_depth(self) -> None:
        """Write what each picture looks like it is far; disparity and metres."""
        checkout, pictures = self.checkout, str(self.program.work / PICTURES)
        self._run(
            "finding relative depth",
            checkout / _RELATIVE_DEPTH,
            *("--encoder", "vitl"),
            *("--load-from", str(_depth_weights(self.settings, checkout))),
            *("--img-path", pictures),
            *("--outdir", str(self.program.work / "relative_depth" / NAME)),
        )
        self._run(
            "finding metric depth",
            checkout / _METRIC_DEPTH,
            *("--scene-name", NAME),
            *("--img-path", pictures),
            *("--outdir", str(self.program.work / "metric_depth")),
            imports=checkout / "UniDepth",
        )

    def track(self) -> None:
        """Write the path of the camera."""
        script = self.checkout / _TRACKING
        fixed = ("-c", _FIXED_FOCAL) if not self.settings.optimize_focal else ()
        asked = self.settings.optimize_focal and _KNOWS_OPT_FOCAL.search(
            script.read_text(encoding="utf-8", errors="replace")
        )
        self._run(
            "tracking the camera",
            *fixed,
            script,
            *("--datapath", str(self.program.work / PICTURES)),
            *("--weights", str(_tracking_weights(self.settings, self.checkout))),
            *("--scene_name", NAME),
            *("--mono_depth_path", str(self.program.work / "relative_depth")),
            *("--metric_depth_path", str(self.program.work / "metric_depth")),
            "--disable_vis",
            *(("--opt_focal",) if asked else ()),
            imports=self.checkout / "base" / "droid_slam",
        )

    def find_video_depth(self) -> None:
        """Write depth that agrees from picture to picture, with the same path."""
        self._run(
            "finding optical flow",
            self.checkout / _FLOW,
            *("--datapath", str(self.program.work / PICTURES)),
            *("--model", str(self.checkout / _FLOW_WEIGHTS)),
            *("--scene_name", NAME),
            "--mixed_precision",
            imports=self.checkout / "cvd_opt" / "core",
        )
        self._run(
            "finding video depth",
            self.checkout / _VIDEO_DEPTH,
            *("--scene_name", NAME),
            *("--w_grad", "2.0"),
            *("--w_normal", "5.0"),
        )

    def _run(self, step: str, *words: str | Path, imports: Path | None = None) -> None:
        """Run a script; ``imports`` is what it expects to find from the checkout's folder."""
        known = os.environ.get("PYTHONPATH")
        path = os.pathsep.join(filter(None, (str(imports or ""), known)))
        do_step(
            self.program,
            [_python(self.settings), *map(str, words)],
            self.findings,
            step=step,
            environment={"PYTHONPATH": path},
        )


def _checkout(settings: MegasamSettings) -> Path | None:
    return own_folder(settings.checkout, "MEGASAM_ROOT")


def _python(settings: MegasamSettings) -> str:
    return interpreter(settings.python, "MEGASAM_PYTHON")


def _tracking_weights(settings: MegasamSettings, checkout: Path) -> Path:
    return Path(settings.weights or checkout / _TRACKING_WEIGHTS).absolute()


def _depth_weights(settings: MegasamSettings, checkout: Path) -> Path:
    return Path(settings.depth_weights or checkout / _DEPTH_WEIGHTS).absolute()
