"""What an estimator needs, and whether it is there.

Looking is cheap: nothing is imported, and no GPU is touched from this process.

An estimator says what it needs by a static method ``needs(settings)`` that returns a tuple of
:class:`Need`; one without it needs nothing but its own module. One that runs a program of others
says where that comes from, and under which licences, by a static method ``about(settings)``.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dollygrip.classifiers.reliability import Failure, Reason

# A healthy one answers within a second or two; a broken driver never does.
_PATIENCE = 10.0
_FIND_PACKAGES = (
    "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
)


@dataclass(frozen=True)
class Need:
    """One thing that has to be there.

    Attributes:
        what: It, such as "the program vipe".
        there: Whether it is there.
        detail: Where it is, which one it is, or what is wrong.
        remedy: One step that mends it.
    """

    what: str
    there: bool
    detail: str = ""
    remedy: str = ""


def package(name: str, remedy: str) -> Need:
    """A Python package, importable here by its top-level name."""
    there = importlib.util.find_spec(name) is not None
    return Need(f"the Python package {name}", there, remedy=remedy)


def packages(python: str, names: Sequence[str], remedy: str) -> Need:
    """Python packages, by their top-level names, of some interpreter.

    Args:
        python: A path, or a name looked up in PATH.
        names: The packages.
        remedy: What installs them.
    """
    what = f"Python packages of {python}"
    found = shutil.which(python)
    if found is None:
        return Need(f"the Python interpreter {python}", False, "no such program", remedy)
    try:
        lacking = _lacking(found, names) if names else []
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Need(what, False, f"it does not answer ({type(error).__name__})", remedy)
    if lacking:
        return Need(what, False, f"it lacks {', '.join(lacking)}", remedy)
    return Need(what, True, ", ".join(names))


def program(name: str, remedy: str) -> Need:
    """A program, by its path or its name in PATH."""
    found = shutil.which(name)
    return Need(f"the program {name}", found is not None, found or "not in PATH", remedy)


def file(what: str, path: Path, remedy: str) -> Need:
    """A file or folder."""
    there = path.exists()
    return Need(what, there, f"{path}" if there else f"no {path}", remedy)


def folder(what: str, path: Path | None, variable: str, remedy: str) -> Need:
    """A folder that the settings or an environment variable should name."""
    if path is None:
        return Need(what, False, f"{variable} is not set", remedy)
    return Need(what, path.is_dir(), f"{path}" if path.is_dir() else f"no folder {path}", remedy)


def variable(name: str, remedy: str) -> Need:
    """An environment variable that is set to something."""
    return Need(f"the environment variable {name}", bool(os.environ.get(name)), remedy=remedy)


def gpu() -> Need:
    """An NVIDIA GPU that programs started from here may use."""
    found = gpus()
    remedy = "run on a machine with an NVIDIA GPU and its driver (nvidia-smi must list it)"
    return Need("a CUDA GPU", bool(found), ", ".join(found) or "nvidia-smi lists none", remedy)


def gpus() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs that programs started from here may use."""
    found = shutil.which("nvidia-smi")
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return () if found is None or hidden else _gpu_names(found)


def missing(needs: Sequence[Need], who: str) -> Failure | None:
    """Why an estimator cannot run here and what to do, in one message; None when it can.

    Args:
        needs: What it needs.
        who: What to call it, at the start of a sentence.
    """
    lacking = [need for need in needs if not need.there]
    if not lacking:
        return None
    whats = "; ".join(f"{n.what} ({n.detail})" if n.detail else n.what for n in lacking)
    remedies = "; ".join(dict.fromkeys(need.remedy for need in lacking if need.remedy))
    return Failure(
        Reason.ESTIMATOR_MISSING,
        f"{who} cannot run here, because it lacks {whats}. To mend it: {remedies}.",
    )


def _lacking(python: str, names: Sequence[str]) -> list[str]:
    """Those of some packages that an interpreter does not find."""
    told = subprocess.run(
        [python, "-c", _FIND_PACKAGES, *names],
        cwd=Path(sys.executable).anchor,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=True,
    )
    return told.stdout.split()


@lru_cache
def _gpu_names(nvidia_smi: str) -> tuple[str, ...]:
    try:
        told = subprocess.run(
            [nvidia_smi, "--query-gpu=name", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()
    return tuple(filter(None, map(str.strip, told.stdout.splitlines())))
