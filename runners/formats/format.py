"""What there is to know of a pose format. Each format is a module with one of these, ``FORMAT``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.path import CameraPath

Kept = Literal["times", "frames", "intrinsics", "names", "gaps"]


@dataclass(frozen=True)
class PoseFormat:
    """A way to write camera poses down.

    Attributes:
        name: Word for the command line.
        title: What it is, for a person.
        convention: What its numbers mean.
        unit: Of its translations: "metres", or "any" where the format promises nothing.
        kept: What it holds beside poses.
        matches: Whether a file or folder looks like it, given the first 4 KiB (none of a folder).
            Never raises.
        read: Reads a file or folder; the convention is :attr:`convention` unless the user says
            otherwise. Raises PoseError.
        write: Writes one, atomically. Raises PoseError.
        cameras: The names of all cameras in a file, for formats that hold several. Raises
            PoseError.
        read_camera: Reads one of these by its name. Raises PoseError.
    """

    name: str
    title: str
    convention: Convention
    unit: Literal["metres", "any"]
    kept: frozenset[Kept]
    matches: Callable[[Path, bytes], bool]
    read: Callable[[Path, Convention], CameraPath]
    write: Callable[[Path, CameraPath, Convention], None]
    cameras: Callable[[Path], list[str]] | None = None
    read_camera: Callable[[Path, Convention, str], CameraPath] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "name": self.name,
            "title": self.title,
            "convention": str(self.convention),
            "unit": self.unit,
            "holds": sorted(self.kept),
        }
