"""Descriptions of programs that estimate camera poses: how to start one, what comes out.

A description is a TOML file; ``descriptions/`` beside this module holds those that come with
dollygrip. Further ones are looked for in the folder that ``DOLLYGRIP_EXTERNAL`` names and in
``dollygrip/external`` of the user's configuration folder. They name commands to be run: use only
files whose author you trust.

Those that come with dollygrip follow the sources of the programs and are tested with stand-ins for
them; the programs themselves have not been run.
"""

import hashlib
import os
import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from dollygrip.runners.strict import build
from dollygrip.runners.video import printable

PLACEHOLDERS = {
    "pictures": "the folder of the shot's pictures, 000000.png and so on",
    "video": "the shot as one MP4 file",
    "calibration": "a text file with fx fy cx cy in pixels, made up: a usual lens",
    "work": "the folder that all of these lie in",
    "out": "an empty folder for results",
    "name": "what the shot is called",
    "python": "the Python interpreter that the program is installed for",
    "checkout": "the program's own folder",
}
"""What stands for what in commands and environment variables."""

_BUILT_IN = Path(__file__).parent / "descriptions"
_LONGEST = 64 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class DescriptionError(ValueError):
    """A description that is not there, or is none; one plain line that names the file."""


@dataclass(frozen=True)
class Input:
    """What the program gets to see.

    Attributes:
        kind: A folder of pictures, or a video.
        rate: At most about this many pictures a second.
        long_side: Pictures are shrunk to this long side, pixels.
        most: At most this many pictures of a shot, evenly thinned.
    """

    kind: Literal["pictures", "video"] = "pictures"
    rate: float = 12.0
    long_side: int = 640
    most: int = 200

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A value is out of range.
        """
        if not (0.0 < self.rate < float("inf") and self.long_side >= 48 and self.most >= 3):
            raise ValueError("rate must be positive, long_side at least 48 and most at least 3")


@dataclass(frozen=True)
class Output:
    """Where the poses are, and what they mean.

    Attributes:
        path: A file or folder below the work folder; wildcards may stand for names, and must fit
            one thing only.
        format: A pose format by name.
        convention: Words that differ from the format's own convention.
        frame_rate: Where the program gives times: those of pictures shown at this many a second.
    """

    path: str
    format: str
    convention: str = ""
    frame_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse what leads elsewhere or cannot be read.

        Raises:
            ValueError: The path is none below a folder; there is no such format or convention; the
                frame rate is out of range.
        """
        from dollygrip.geometry.conventions import Convention
        from dollygrip.runners.formats.catalog import pose_format

        _check_below("path", self.path)
        pose_format(self.format)
        Convention.parse(self.convention)
        if self.frame_rate is not None and not 0.0 < self.frame_rate < float("inf"):
            raise ValueError(f"frame_rate must be positive, not {self.frame_rate}")


@dataclass(frozen=True)
class Required:
    """What has to be there beside the program named in the command.

    Attributes:
        programs: Found by their names in PATH.
        packages: Python packages of {python}, by their top-level names.
        files: Below {checkout}.
        reading: Python packages that reading the output takes, of the interpreter that runs
            dollygrip.
        variables: Environment variables.
        gpu: A CUDA GPU.
        install: What to do about what is lacking.
    """

    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    gpu: bool = False
    install: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be looked for.

        Raises:
            ValueError: A file is not below the checkout; a package is no top-level name.
        """
        for file in self.files:
            _check_below("files", file)
        for package in (*self.packages, *self.reading):
            if not package.isidentifier():
                raise ValueError(f"{package!r} is no top-level name of a Python package")


@dataclass(frozen=True)
class Description:
    """A program that estimates poses.

    Attributes:
        title: What to call it.
        homepage: Where it comes from.
        code: Licence of its code, in one line.
        weights: Licence of its weights, in one line.
        command: What to run; placeholders in braces, see :data:`PLACEHOLDERS`. Each item is one
            word of the command whatever it holds: no shell reads it.
        output: Where the poses are.
        input: What it gets to see.
        folder: Where it runs.
        environment: Variables to set; placeholders as in the command.
        seconds: It is stopped after so long.
        memory_mb: It is stopped when it takes more.
        needs: What has to be there.
    """

    title: str
    homepage: str
    code: str
    weights: str
    command: tuple[str, ...]
    output: Output
    input: Input = field(default_factory=Input)
    folder: Literal["work", "checkout"] = "work"
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 1800.0
    memory_mb: int = 32_768
    needs: Required = field(default_factory=Required)

    def __post_init__(self) -> None:
        """Check what the fields say of each other.

        Raises:
            ValueError: There is no command, or an unknown placeholder, or a limit is out of range.
        """
        if not self.command or not self.command[0]:
            raise ValueError("command is empty")
        if not (0.0 < self.seconds < float("inf") and self.memory_mb > 0):
            raise ValueError("seconds and memory_mb must be positive")
        for name in self.environment:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"environment: {name!r} is no name of a variable")
        absent = "video" if self.input.kind == "pictures" else "pictures"
        for text in (*self.command, *self.environment.values()):
            for name in placeholders(text):
                if name not in PLACEHOLDERS:
                    known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                    raise ValueError(f"{text!r}: there is no {{{name}}}, but {known}")
                if name == absent:
                    raise ValueError(f"{text!r}: the input is {self.input.kind}, not {{{name}}}")

    def uses(self, placeholder: str) -> bool:
        """Whether the command or the environment has a placeholder."""
        texts = (*self.command, *self.environment.values())
        return any(placeholder in placeholders(text) for text in texts)


def placeholders(text: str) -> list[str]:
    """The names in braces of a text, in order; double braces stand for braces.

    Raises:
        ValueError: A brace has no partner, or there is more than a name in a pair.
    """
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; write {{{{ and }}}} for braces") from error
    for _, name, detail, conversion in parts:
        if name is not None and (not name.isidentifier() or detail or conversion):
            raise ValueError(f"{text!r}: braces hold the name of a placeholder, {{{{ is a brace")
    return [name for _, name, _, _ in parts if name is not None]


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders replaced, each once: what stands in a value stays as it is."""
    parts = string.Formatter().parse(text)
    return "".join(
        literal + ("" if name is None else values[name]) for literal, name, _, _ in parts
    )


def names() -> list[str]:
    """The names of all descriptions in the usual places."""
    found = {path.stem for folder in _folders() for path in _listed(folder)}
    return sorted(name for name in found if _NAME.fullmatch(name))


def description_path(name: str) -> Path:
    """The file of a description.

    Args:
        name: One of :func:`names`; or a path, with a slash in it or ``.toml`` at its end.

    Raises:
        DescriptionError: There is none.
    """
    if "/" in name or os.sep in name or name.endswith(".toml"):
        return Path(name)
    if _NAME.fullmatch(name):
        for folder in _folders():
            path = folder / f"{name}.toml"
            if path.is_file():
                return path
    known = ", ".join(names())
    raise DescriptionError(
        f"no external estimator is called {name!r}; there is {known}, and any path to a TOML file"
    )


def find_description(name: str) -> Description:
    """The description of a program.

    Args:
        name: As for :func:`description_path`.

    Raises:
        DescriptionError: There is none, or it says something that is not understood.
    """
    path = description_path(name)
    shown = printable(path)
    text = _read(path, shown)
    try:
        data = tomllib.loads(text)
        description = build(Description, data)
    except RecursionError as error:
        raise DescriptionError(f"{shown}: nested too deeply") from error
    except (ValueError, OverflowError) as error:
        raise DescriptionError(f"{shown}: {' '.join(str(error).split())}") from error
    assert isinstance(description, Description)
    return description


def digest(name: str) -> str:
    """Short and stable: changes exactly when the text of a description does.

    Raises:
        DescriptionError: There is none.
    """
    path = description_path(name)
    text = _read(path, printable(path))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _read(path: Path, shown: str) -> str:
    try:
        if not path.is_file():
            raise DescriptionError(f"{shown}: no such file, or no regular one")
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise DescriptionError(f"{shown}: too large for a description")
        return data.decode("utf-8")
    except OSError as error:
        raise DescriptionError(f"{shown}: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, DescriptionError):
            raise
        raise DescriptionError(f"{shown}: not UTF-8 text") from error


def _folders() -> list[Path]:
    """Where descriptions are, the user's first."""
    given = os.environ.get("DOLLYGRIP_EXTERNAL")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    own = [Path(given)] if given else []
    return [*own, Path(config) / "dollygrip" / "external", _BUILT_IN]


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ".toml"]
    except OSError:
        return []


def _check_below(what: str, path: str) -> None:
    """Refuse what is not a plain way down from a folder.

    Raises:
        ValueError: It is absolute, climbs, or wanders.
    """
    parts = PurePosixPath(path).parts
    strange = path.startswith(("/", "~")) or "\\" in path or "**" in path or ".." in parts
    if not parts or strange:
        raise ValueError(f"{what}: {path!r} is no path below a folder")
