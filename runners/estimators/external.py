"""Estimators that are programs described in TOML: ``external:vipe`` and whatever users describe.

The program gets the pictures of a shot in a folder of its own, runs in a child process with limits
of time and memory, and leaves poses in a known format; see :mod:`.description` for what a
description says and :mod:`.programs` for what is checked.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory
from dollygrip.runners import needs
from dollygrip.runners.children import Limits
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.description import (
    Description,
    description_path,
    digest,
    fill,
    find_description,
    placeholders,
)
from dollygrip.runners.estimators.description import names as names
from dollygrip.runners.estimators.program_poses import read_output, trajectory
from dollygrip.runners.estimators.programs import (
    NAME,
    OUT,
    PICTURES,
    VIDEO,
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
from dollygrip.runners.pictures import Clip, Pictures, write_clip, write_pictures
from dollygrip.runners.video import Frame, FrameRequest


@dataclass(frozen=True)
class ExternalSettings:
    """Settings of a described program.

    Attributes:
        system: Name of its description, or a path to one.
        checkout: The program's own folder; the environment variable ``<SYSTEM>_ROOT`` (such as
            ``VGGT_ROOT``) when empty.
        python: The interpreter that it is installed for; ``<SYSTEM>_PYTHON`` when empty, and this
            one when that is not set.
        seconds: It is stopped after so long; the description's limit when 0.
        memory_mb: It is stopped when it takes more; the description's limit when 0.
        work: Folder to keep its pictures, results and log in; removed when empty.
        description: What the description's text is known by, so that clips are labelled anew when
            it changes; set by the program.
    """

    system: str = ""
    checkout: str = ""
    python: str = ""
    seconds: float = 0.0
    memory_mb: int = 0
    work: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        """Read the description, so that what is wrong with it is said before any clip is read.

        Raises:
            DescriptionError: There is none, or it is not understood.
            ValueError: A limit is negative.
        """
        find_description(self.system)
        if not (0.0 <= self.seconds < float("inf") and self.memory_mb >= 0):
            raise ValueError("seconds and memory_mb must not be negative")
        object.__setattr__(self, "description", digest(self.system))


class ExternalEstimator:
    """Camera path from another program; see the module's text."""

    def __init__(self, settings: ExternalSettings) -> None:
        """Store the settings and read the description."""
        self.settings = settings
        self.name = f"external:{settings.system}"
        self.description = find_description(settings.system)
        shown = self.description.input
        self.frame_request = FrameRequest(shown.long_side, shown.rate, color=True)

    @staticmethod
    def needs(settings: ExternalSettings) -> tuple[Need, ...]:
        """What has to be there."""
        description = find_description(settings.system)
        required, install = description.needs, description.needs.install
        found = [needs.program(name, install) for name in required.programs]
        started = description.command[0]
        if not placeholders(started) and started not in required.programs:
            found.append(needs.program(started, install))
        found += [needs.package(name, f"pip install {name}") for name in required.reading]
        found += [needs.variable(name, install) for name in required.variables]
        found += [needs.gpu()] if required.gpu else []
        if description.uses("checkout") or description.folder == "checkout":
            variable, checkout = _variable(settings.system, "ROOT"), _checkout(settings)
            remedy = f"{install}; then set checkout, or {variable}, to that folder"
            own = needs.folder("its own folder", checkout, variable, remedy)
            found.insert(0, own)
            if checkout is None or not own.there:  # nothing is installed
                return tuple(found)
            found += [needs.file(f"its file {f}", checkout / f, install) for f in required.files]
        if description.uses("python"):
            variable = _variable(settings.system, "PYTHON")
            remedy = f"{install}; then set python, or {variable}, to its Python"
            found.append(needs.packages(_python(settings), required.packages, remedy))
        return tuple(found)

    @staticmethod
    def gpus(settings: ExternalSettings, there: bool) -> float:
        """How many GPUs it takes to itself, whether or not there are any."""
        return float(find_description(settings.system).needs.gpu)

    @staticmethod
    def about(settings: ExternalSettings) -> str:
        """Where the program comes from, and its licences."""
        known = find_description(settings.system)
        told = {"": known.homepage, "code: ": known.code, "weights: ": known.weights}
        return "; ".join(f"{what}{value}" for what, value in told.items() if value)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        return answer(self.name, asdict(self.settings), partial(self._find, frames))

    def _find(self, frames: Iterable[Frame], findings: Findings) -> Trajectory:
        description, settings = self.description, self.settings
        require(self.needs(settings), description.title)
        limits = Limits(
            settings.seconds or description.seconds, settings.memory_mb or description.memory_mb
        )
        with work_folder(settings.work) as work:
            program = Program(description.title, work, limits)
            shown = _show(frames, work, description)
            enough(shown, description.title)
            values = _values(settings, shown, work)
            do_step(
                program,
                [fill(word, values) for word in description.command],
                findings,
                folder=Path(values["checkout"]) if description.folder == "checkout" else work,
                environment={k: fill(v, values) for k, v in description.environment.items()},
            )
            output = description.output
            path = find_output(program, fill(output.path, {"name": NAME}))
            cameras, used = read_output(program, path, output.format, output.convention)
            where = description_path(settings.system).name
            return trajectory(
                program,
                cameras,
                used,
                shown,
                findings,
                frame_rate=output.frame_rate,
                fix=f"set the convention in {where}",
            )


def _show(frames: Iterable[Frame], work: Path, description: Description) -> Pictures | Clip:
    """Write what the program gets to see."""
    most = description.input.most
    if description.input.kind == "video":
        return write_clip(frames, work / VIDEO, most)
    return write_pictures(frames, work / PICTURES, most)


def _values(settings: ExternalSettings, shown: Pictures | Clip, work: Path) -> dict[str, str]:
    """What the placeholders stand for."""
    calibration = work / "calibration.txt"
    focal = FOCAL_PRIOR * max(shown.size)
    numbers = (focal, focal, shown.size[0] / 2, shown.size[1] / 2)
    calibration.write_text(" ".join(map(str, numbers)) + "\n", encoding="utf-8")
    return {
        "pictures": str(work / PICTURES),
        "video": str(work / VIDEO),
        "calibration": str(calibration),
        "work": str(work),
        "out": str(work / OUT),
        "name": NAME,
        "python": _python(settings),
        "checkout": str(_checkout(settings)),
    }


def _variable(system: str, what: str) -> str:
    """The environment variable that says something of a system."""
    stem = re.sub(r"[^A-Z0-9]", "_", Path(system).name.removesuffix(".toml").upper())
    return f"{stem}_{what}"


def _python(settings: ExternalSettings) -> str:
    return interpreter(settings.python, _variable(settings.system, "PYTHON"))


def _checkout(settings: ExternalSettings) -> Path | None:
    return own_folder(settings.checkout, _variable(settings.system, "ROOT"))
