"""What estimators that are other programs share: pictures go out, poses come in.

Nothing of what such a program says is taken on trust: its output must lie where it was told to put
it, belong to the pictures it was given, and explain what moves in them.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.children import Limits, run
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.needs import Need, missing
from dollygrip.runners.pictures import Clip, Pictures
from dollygrip.runners.scratch import scratch_folder

PICTURES, VIDEO, OUT = "images", "shot.mp4", "out"
"""Names in the work folder."""

NAME = "shot"
"""What programs call the shot that they look at."""

# An output folder with more in it than this is none of poses.
_MOST_FILES = 100_000


class NoAnswer(Exception):
    """Ends an estimate.

    Attributes:
        failure: Why.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason and the message as data."""
        super().__init__(message)
        self.failure = Failure(reason, message)


@dataclass(eq=False)
class Findings:
    """What becomes known on the way to an answer.

    Attributes:
        diagnostics: Plain numbers and texts.
        doubts: What makes the answer less certain.
    """

    diagnostics: dict[str, Any] = field(default_factory=dict)
    doubts: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Program:
    """A program as it is run for one shot.

    Attributes:
        title: What to call it, at the start of a sentence.
        work: The work folder.
        limits: What all its steps together may use.
    """

    title: str
    work: Path
    limits: Limits


def answer(
    name: str, settings: Mapping[str, Any], find: Callable[[Findings], Trajectory]
) -> Estimate:
    """The estimate that comes of a search for a path.

    Args:
        name: Of the estimator.
        settings: Of the estimator, JSON-ready.
        find: The search; raises :class:`NoAnswer`.
    """
    started, findings = time.perf_counter(), Findings()
    hypotheses: tuple[Hypothesis, ...] = ()
    failure = None
    try:
        hypotheses = (Hypothesis(name, 1.0, find(findings)),)
    except NoAnswer as end:
        failure = end.failure
    return Estimate(
        hypotheses,
        failure,
        diagnostics=findings.diagnostics,
        doubts=tuple(findings.doubts),
        seconds=time.perf_counter() - started,
        estimator=name,
        settings=dict(settings),
    )


def require(needs: Sequence[Need], title: str) -> None:
    """Go on only when everything is there.

    Raises:
        NoAnswer: Something is missing.
    """
    failure = missing(needs, title)
    if failure is not None:
        raise NoAnswer(failure.reason, failure.message)


def own_folder(given: str, variable: str) -> Path | None:
    """The folder that a program came in, as the settings or an environment variable say."""
    found = given or os.environ.get(variable, "")
    # Unlike Path.expanduser, this does not raise for a user that there is not.
    return Path(os.path.expanduser(found)).absolute() if found else None  # noqa: PTH111


def interpreter(given: str, variable: str) -> str:
    """The Python interpreter that a program is installed for; this one when nothing is said."""
    wanted = given or os.environ.get(variable, "") or sys.executable
    # As a path from here, since it runs elsewhere; links are kept, which virtual environments are.
    return os.path.abspath(shutil.which(wanted) or wanted)  # noqa: PTH100


@contextmanager
def work_folder(keep_in: str) -> Iterator[Path]:
    """A new folder for one shot, absolute and without links in its path; removed afterwards.

    Args:
        keep_in: A folder to put it in, and leave it; a temporary one when empty.

    Raises:
        NoAnswer: It cannot be made.
    """
    try:
        if keep_in:
            Path(keep_in).mkdir(parents=True, exist_ok=True)
            yield _furnished(Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=keep_in)).resolve())
            return
        with scratch_folder() as made:
            yield _furnished(made)
    except OSError as error:
        message = f"The work folder cannot be used: {error}; check the disk and the setting work."
        raise NoAnswer(Reason.ESTIMATOR_CRASHED, message) from error


def _furnished(folder: Path) -> Path:
    (folder / PICTURES).mkdir()
    (folder / OUT).mkdir()
    return folder


def enough(shown: Pictures | Clip, title: str, fewest: int = 3) -> None:
    """Go on only when there are enough pictures.

    Args:
        shown: What was written for the program.
        title: What to call it.
        fewest: How many it takes.

    Raises:
        NoAnswer: There are too few.
    """
    count = len(shown.times)
    if count < fewest:
        message = f"There are only {count} pictures; {title} takes {fewest} to see a motion."
        raise NoAnswer(Reason.TOO_SHORT, message)


def do_step(
    program: Program,
    command: Sequence[str],
    findings: Findings,
    *,
    step: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one command of a program.

    Args:
        program: The program.
        command: The words of the command.
        findings: Gets the time it took, which counts against the limit of further steps.
        step: What the command does, where there is more than one.
        folder: Where it runs; the work folder when not given.
        environment: Variables to add.

    Raises:
        NoAnswer: It did not end well.
    """
    spent = findings.diagnostics.get("program_seconds", 0.0)
    limits = replace(program.limits, seconds=max(program.limits.seconds - spent, 1.0))
    ended = run(command, folder=folder or program.work, limits=limits, environment=environment)
    with (program.work / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{ended.log}\n")
    findings.diagnostics["program_seconds"] = round(spent + ended.seconds, 3)
    failure = ended.failure(f"{program.title}, {step}," if step else program.title)
    if failure is not None:
        raise NoAnswer(failure.reason, failure.message)


def find_output(program: Program, pattern: str) -> Path:
    """The one file or folder in the work folder that fits a pattern.

    Args:
        program: The program that wrote it.
        pattern: Relative, with wildcards at will; see :attr:`.description.Output.path`.

    Raises:
        NoAnswer: There is none, or more than one; or beside it is anything but plain files and
            folders: a link might lead out of the work folder, a pipe would never end.
    """
    found = list(islice(program.work.glob(pattern), 2))
    if not found:
        raise NoAnswer(
            Reason.ESTIMATOR_CRASHED,
            f"{program.title} ended well, but wrote no {pattern}; it may have found no motion that "
            "it could follow. Set work to keep its files and log.",
        )
    if len(found) > 1:
        listed = " and ".join(_shown(path.relative_to(program.work)) for path in sorted(found))
        raise NoAnswer(
            Reason.ESTIMATOR_CRASHED,
            f"{program.title} wrote more than one {pattern}: {listed}; only one can be read.",
        )
    # Formats of several files read what lies beside.
    top = program.work / found[0].relative_to(program.work).parts[0]
    for count, piece in enumerate(chain([top], _below(top))):
        if piece.is_symlink() or not (piece.is_file() or piece.is_dir()):
            message = (
                f"{program.title} wrote {_shown(piece.relative_to(program.work))}, which is a link "
                "or no regular file; its output is not read."
            )
            raise NoAnswer(Reason.ESTIMATOR_CRASHED, message)
        if count > _MOST_FILES:
            message = f"{program.title} wrote more than {_MOST_FILES} files to {top.name}."
            raise NoAnswer(Reason.ESTIMATOR_CRASHED, message)
    return found[0]


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder; links are not followed."""
    for top, folders, files in os.walk(folder):
        yield from (Path(top) / name for name in (*folders, *files))


def _shown(path: Path) -> str:
    return repr(str(path))
