"""How a report and what it compares were made."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dollygrip.runners.store import StoreError, read_manifest
from dollygrip.runners.systems import System


@dataclass(frozen=True)
class Made:
    """How a report was made.

    Attributes:
        command: What was typed.
        when: The time.
        labels: Where the labels are from; empty for none.
        versions: Of programs, by name.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    command: str
    when: datetime
    labels: str
    versions: dict[str, str]
    resamples: int
    seed: int


@dataclass(frozen=True)
class Origin:
    """What a run was made with, as its manifest says; what it does not say is empty.

    Attributes:
        source: The run folder, or the file or folder with scores.
        command: What was typed.
        started: When, as ISO 8601.
        versions: Of programs, as "numpy 2.4".
    """

    source: Path
    command: str = ""
    started: str = ""
    versions: str = ""


def origins(systems: Iterable[System]) -> tuple[Origin, ...]:
    """Of each source of some systems."""
    sources = dict.fromkeys((system.source, bool(system.estimator)) for system in systems)
    return tuple(_of_run(source) if is_run else Origin(source) for source, is_run in sources)


def settings_hash(system: System, kind: str) -> str:
    """Under which the manifest of a run has the settings of its estimator or classifier.

    Several where records of the run differ; empty for score files.
    """
    records = (answer.record for answer in system.answers if answer.record)
    found = (record.provenance.get(kind, {}).get("hash", "") for record in records)
    return ", ".join(filter(None, dict.fromkeys(map(str, found))))


def _of_run(source: Path) -> Origin:
    try:
        manifest = read_manifest(source)
    except StoreError:
        return Origin(source)
    command, versions = manifest.get("command"), manifest.get("versions")
    return Origin(
        source,
        shlex.join(map(str, command)) if isinstance(command, list) else "",
        str(manifest.get("started", "")),
        _listed(versions) if isinstance(versions, dict) else "",
    )


def _listed(versions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
