"""What there is on this machine, and what each estimator still needs to run here.

Nothing heavy is imported and no estimator is run: an answer takes about a second.
"""

import os
import platform
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

import psutil

from dollygrip.runners.needs import Need, gpus
from dollygrip.runners.registry import choose, names

_PROJECT = "dollygrip"
# Extras for users; the others are for work on the project itself.
_EXTRAS = ("dense", "usd", "view")
_NARROWEST, _WIDEST = 60, 120


@dataclass(frozen=True)
class Checked:
    """An estimator or an extra, looked at.

    Attributes:
        name: Its name.
        needs: What it needs.
        about: Of programs of others: where they come from, and their licences.
    """

    name: str
    needs: tuple[Need, ...] = ()
    about: str = ""

    @property
    def lacking(self) -> tuple[Need, ...]:
        """What it needs and does not find."""
        return tuple(need for need in self.needs if not need.there)

    @property
    def ready(self) -> bool:
        """Whether everything is there."""
        return not self.lacking

    @property
    def remedies(self) -> tuple[str, ...]:
        """Steps that mend what is lacking, each once."""
        return tuple(dict.fromkeys(need.remedy for need in self.lacking if need.remedy))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "name": self.name,
            "about": self.about,
            "ready": self.ready,
            "needs": [asdict(need) for need in self.needs],
            "remedies": list(self.remedies),
        }


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        version: Of dollygrip.
        python: Version of the interpreter.
        executable: Its path.
        platform: System and machine.
        processors: That this process may use.
        memory_mb: Of the machine, mebibytes.
        available_mb: Of these, not in use.
        gpus: Names of the NVIDIA GPUs.
        packages: Those that dollygrip needs; their versions are the details.
        estimators: All in the registry.
        extras: Optional packages, by the name of the extra that installs them.
    """

    version: str
    python: str
    executable: str
    platform: str
    processors: int
    memory_mb: int
    available_mb: int
    gpus: tuple[str, ...]
    packages: tuple[Need, ...]
    estimators: tuple[Checked, ...]
    extras: tuple[Checked, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "version": self.version,
            "python": self.python,
            "executable": self.executable,
            "platform": self.platform,
            "processors": self.processors,
            "memory_mb": self.memory_mb,
            "available_mb": self.available_mb,
            "gpus": list(self.gpus),
            "packages": [asdict(package) for package in self.packages],
            "estimators": [estimator.to_dict() for estimator in self.estimators],
            "extras": [extra.to_dict() for extra in self.extras],
        }


def examine(settings: Mapping[str, Mapping[str, Any]] | None = None) -> Report:
    """Look at this machine and all estimators. Never raises.

    Args:
        settings: What differs from the defaults, by the name of the estimator; they may say where
            a program is.
    """
    required, optional = _requirements()
    extras = tuple(Checked(name, optional.get(name, ())) for name in _EXTRAS)
    memory = psutil.virtual_memory()
    given = settings or {}
    return Report(
        version=_version(_PROJECT) or "not installed",
        python=platform.python_version(),
        executable=sys.executable,
        platform=platform.platform(),
        processors=_processors(),
        memory_mb=memory.total >> 20,
        available_mb=memory.available >> 20,
        gpus=gpus(),
        packages=required,
        estimators=tuple(
            _examined(name, given.get(name), optional.get(name, ())) for name in names("estimator")
        ),
        extras=extras,
    )


def text(report: Report, width: int) -> str:
    """The report as lines for a terminal of so many columns."""
    columns = min(max(width, _NARROWEST), _WIDEST)
    lines = [
        f"dollygrip {report.version}, Python {report.python} ({report.executable})",
        f"{report.platform}, {_count(report.processors, 'processor')}, "
        f"{report.memory_mb / 1024:.1f} GB of memory ({report.available_mb / 1024:.1f} free), "
        f"{', '.join(report.gpus) or 'no CUDA GPU'}",
        "",
    ]
    rows = [("packages", Checked("packages", report.packages))]
    rows += [(checked.name, checked) for checked in report.estimators]
    rows += [(f"extra {checked.name}", checked) for checked in report.extras]
    indent = max(len(name) for name, _ in rows) + 2
    for name, checked in rows:
        said = ["ready"]
        if not checked.ready:
            lacks = (f"{n.what} ({n.detail})" if n.detail else n.what for n in checked.lacking)
            said = [f"lacks {'; '.join(lacks)}", *(f"-> {step}" for step in checked.remedies)]
        said += [checked.about] if checked.about else []
        for number, paragraph in enumerate(said):
            first = f"{name:<{indent}}" if number == 0 else " " * indent
            lines += textwrap.wrap(
                paragraph,
                columns,
                initial_indent=first,
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
    return "\n".join(lines) + "\n"


def _examined(name: str, settings: Mapping[str, Any] | None, extra: tuple[Need, ...]) -> Checked:
    """An estimator, and what it needs beside an extra; one that does not load needs mending."""
    try:
        choice = choose("estimator", name, settings)
        return Checked(name, (*extra, *choice.needs()), choice.about())
    # Whatever a third party's estimator, or a broken package, comes up with.
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        return Checked(name, (*extra, Need("what it takes to be loaded", False, said)))


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _requirements() -> tuple[tuple[Need, ...], dict[str, tuple[Need, ...]]]:
    """The packages that dollygrip needs, and those of its extras."""
    required: list[Need] = []
    optional: dict[str, list[Need]] = {}
    for line in _declared():
        wanted, _, condition = line.partition(";")
        extra = re.search(r"extra\s*==\s*[\"'](\w+)", condition)
        if extra is None:
            required.append(_package(wanted.strip(), f"pip install '{wanted.strip()}'"))
        elif extra[1] in _EXTRAS:
            remedy = f"pip install '{_PROJECT}[{extra[1]}]'"
            optional.setdefault(extra[1], []).append(_package(wanted.strip(), remedy))
    return tuple(required), {name: tuple(found) for name, found in optional.items()}


def _declared() -> Iterable[str]:
    try:
        return metadata.requires(_PROJECT) or ()
    except metadata.PackageNotFoundError:
        return ()


def _package(wanted: str, remedy: str) -> Need:
    """A package of a requirement such as ``numpy>=2.0``."""
    name, _, least = wanted.partition(">=")
    found = _version(name)
    there = found is not None and _numbers(found) >= _numbers(least)
    return Need(f"the package {wanted}", there, found or "not installed", remedy)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """What versions are compared by; 2.13.0+cpu is 2.13.0."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
