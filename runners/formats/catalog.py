"""All pose formats by name, and which one a file is in."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, PoseError, naming

# In the order in which a file is tried: the sure ones first.
_MODULES = (
    "colmap",
    "nerfstudio",
    "recammaster",
    "ac3d",
    "motionctrl",
    "realestate10k",
    "euroc",
    "monst3r",
    "chan",
    "matrix_rows",
    "kitti",
    "tum",
    "usd",
    "megasam",
    "vipe",
    "droid",
    "cut3r",
    "depth_anything",
    "npy",
)
_HEAD = 4096


def names() -> list[str]:
    """The names of all formats."""
    return sorted(_MODULES)


def pose_format(name: str) -> PoseFormat:
    """The format of a name.

    Raises:
        PoseError: There is none.
    """
    if name not in _MODULES:
        raise PoseError(f"no pose format is called {name!r}; there is {', '.join(names())}")
    found = import_module(f"dollygrip.runners.formats.{name}").FORMAT
    assert isinstance(found, PoseFormat)
    return found


def detect(path: Path) -> PoseFormat | None:
    """The first format that a file or folder looks like; None when it looks like none.

    Raises:
        PoseError: It cannot be read.
    """
    head = _head(path)
    formats = map(pose_format, _MODULES)
    return next((found for found in formats if found.matches(path, head)), None)


def find_poses(inputs: Iterable[Path], name: str | None = None) -> Iterator[Path]:
    """The pose files that the inputs mean, in a stable order; one that two mean comes twice.

    A file is taken as given. A folder that is itself in a pose format (a COLMAP model) is one;
    any other is searched, with its subfolders, for files that look like poses. Hidden files are
    skipped, and links are not followed. A folder that cannot be read is itself given, so that it
    gets its failed record. A file with several cameras gives ``FILE#CAMERA`` for each.

    Args:
        inputs: Files and folders.
        name: Look for this format only.
    """
    for given in inputs:
        for file in _search(given, name):
            yield from _cameras(file, name)


def file_of(path: Path) -> Path:
    """The file of a path that may end in ``#CAMERA``."""
    return _split(path)[0]


def _split(path: Path) -> tuple[Path, str | None]:
    name, mark, camera = path.name.rpartition("#")
    # A file may have that sign in its name.
    if mark and name and not path.exists() and path.with_name(name).is_file():
        return path.with_name(name), camera
    return path, None


def _cameras(path: Path, name: str | None) -> list[Path]:
    """The file, or each of its cameras when it has several; whoever reads it says what is wrong."""
    try:
        found = pose_format(name) if name else detect(path)
        cameras = found.cameras(path) if found and found.cameras else []
    except PoseError:
        return [path]
    return [path.with_name(f"{path.name}#{c}") for c in cameras] if len(cameras) > 1 else [path]


def _search(given: Path, name: str | None) -> Iterator[Path]:
    """Not by recursion: folders may be nested more deeply than Python's stack."""
    waiting = [given]
    while waiting:
        path = waiting.pop()
        try:
            is_folder = path.is_dir()
            if _looks(path, name) or (path == given and not is_folder):
                yield path
            elif is_folder:
                inside = [p for p in sorted(path.iterdir()) if not p.name.startswith(".")]
                waiting += [p for p in reversed(inside) if not p.is_symlink()]
        except OSError:
            yield path


def _looks(path: Path, name: str | None) -> bool:
    try:
        if name is None:
            return detect(path) is not None
        return pose_format(name).matches(path, _head(path))
    except PoseError:
        return False


def read_poses(
    path: Path, name: str | None = None, convention: str | None = None
) -> tuple[CameraPath, PoseFormat, Convention]:
    """Read a pose file.

    Args:
        path: A file, or a folder for formats that are one; ``FILE#CAMERA`` for one of several.
        name: Its format; found out when not given.
        convention: Words that differ from the format's own, see
            :meth:`dollygrip.geometry.conventions.Convention.parse`.

    Returns:
        The poses, the format, and the convention they were read with.

    Raises:
        PoseError: It is in no known format, or cannot be read.
    """
    file, camera = _split(path)
    found = pose_format(name) if name else detect(file)
    if found is None:
        known = ", ".join(names())
        raise PoseError(f"{path}: in no known pose format; name one with --format: {known}")
    used = found.convention
    if convention:
        with naming(path):
            used = Convention.parse(convention, default=found.convention)
    if camera is None:
        return found.read(file, used), found, used
    if found.read_camera is None:
        raise PoseError(f"{path}: {found.name} has one camera a file; leave #{camera} out")
    return found.read_camera(file, used, camera), found, used


def _head(path: Path) -> bytes:
    with naming(path):
        if path.is_dir():
            return b""
        if not path.is_file():
            raise PoseError(f"{path}: no such file, or no regular one")
        with path.open("rb") as file:
            return file.read(_HEAD)
