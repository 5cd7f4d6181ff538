"""What happens when in the clips of a folder: ``segments.jsonl``.

One line a clip: ``clip``, the file's name, and ``segments``, a list of ``{motion, start, end,
sure}`` in seconds from the first frame.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dollygrip.classifiers.labels import BY_NAME

FILE = "segments.jsonl"


@dataclass(frozen=True)
class Stretch:
    """What truly happens for a while.

    Attributes:
        motion: A label.
        start: Seconds from the first frame.
        end: Seconds from the first frame.
        sure: Whether a viewer must name it; where not, naming it is not wrong.
    """

    motion: str
    start: float
    end: float
    sure: bool = True


@dataclass(frozen=True)
class Story:
    """What happens in one clip.

    Attributes:
        clip: File name.
        stretches: By start; combined moves stand beside their parts.
    """

    clip: str
    stretches: tuple[Stretch, ...]

    @property
    def end(self) -> float:
        """Seconds at which the last stretch ends."""
        return max((stretch.end for stretch in self.stretches), default=0.0)


def write_stories(folder: Path, stories: Iterable[Story]) -> Path:
    """Write the file, by name of the clip; returns its path."""
    lines = []
    for story in sorted(stories, key=lambda story: story.clip):
        told = [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(stretch).items()}
            for stretch in story.stretches
        ]
        lines.append(json.dumps({"clip": story.clip, "segments": told}) + "\n")
    path = folder / FILE
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read_stories(folder: Path) -> dict[str, Story]:
    """Read the file; stories by name of the clip.

    Raises:
        ValueError: A line is not as expected.
        OSError: The file cannot be read.
    """
    path = folder / FILE
    stories = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                story = _story(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: {error!r}") from error
            stories[story.clip] = story
    return stories


def _story(data: dict[str, Any]) -> Story:
    stretches = tuple(
        Stretch(part["motion"], float(part["start"]), float(part["end"]), bool(part["sure"]))
        for part in data["segments"]
    )
    for stretch in stretches:
        if stretch.motion not in BY_NAME:
            raise ValueError(f"no label is called {stretch.motion!r}")
        if not 0.0 <= stretch.start < stretch.end < math.inf:
            raise ValueError(f"{stretch.motion} from {stretch.start} to {stretch.end} s")
    return Story(str(data["clip"]), stretches)
