"""Arrays of numbers in ``.npy`` and ``.npz`` files: never a pickle, and within bounds.

numpy's own reader believes what a header says, and a zip file's directory says what it likes: both
can ask for more memory than there is. Here nothing is made larger than its checked size, and an
array that nobody asks for is not touched beyond its header.
"""

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.runners.formats.path import MOST_BYTES, BadPose, CameraPath, PoseError, naming

Numbers = npt.NDArray[Any]

# numpy pads headers of plain arrays to 128 bytes.
_LONGEST_HEADER = 4096
_CHUNK = 2**20
# How much of a large array may be passed over to get at a few of its frames.
_MOST_PASSED = 2 * 2**30
_SAMPLED_FRAMES = 8
# How far the last row of a matrix may be from 0 0 0 1.
_TOLERANCE = 0.02
_ZIP = b"PK\x03\x04"
# The record at the end of a zip file; files of up to 4 GiB and 65,534 members have just this one.
_END = struct.Struct("<4s4H2LH")
_LARGEST_DIRECTORY = 2**20
# Of a motion file: of 8,000 shots with five models each it is 18 MB.
_LARGEST_MOTION_DIRECTORY = 32 * 2**20
# Four hours of one shot with five models are 100 MB.
_MOST_UNPACKED = 2 * 2**30
# Of larger zip files, before the record at the end: where the directory is, in a record of its own.
_LARGE_END = struct.Struct("<4sQ2H2L4Q")
_LARGE_PLACE = 20

_MAGIC = b"\x93NUMPY"
_DESCR = re.compile(rb"'descr':\s*'([<>|=]?[biuf]\d{1,2})'")
_FORTRAN = re.compile(rb"'fortran_order':\s*(True|False)")
_SHAPE = re.compile(rb"'shape':\s*\(([\d,\s]*)\)")
_TEXT = re.compile(rb"'descr':\s*'([<>])U\d+'")


@dataclass(frozen=True)
class Layout:
    """What the header of an array says.

    Attributes:
        shape: Sizes along the axes.
        dtype: Of the numbers.
        fortran: The first axis changes fastest.
        start: Bytes of the file before the numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    start: int

    @property
    def nbytes(self) -> int:
        """Of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def layout(head: bytes) -> Layout:
    """The header of a ``.npy`` file, from its first bytes.

    Raises:
        ValueError: It has none, or is no array of plain numbers.
    """
    if len(head) < 12 or not head.startswith(_MAGIC):
        raise ValueError("is no array file of numpy")
    size, start = (2, 10) if head[6] == 1 else (4, 12)
    start += int.from_bytes(head[8 : 8 + size], "little")
    if start > min(len(head), _LONGEST_HEADER):
        raise ValueError("has a header that is cut off or too long")
    header = head[8 + size : start]
    descr, fortran, shape = (rule.search(header) for rule in (_DESCR, _FORTRAN, _SHAPE))
    if descr is None or fortran is None or shape is None:
        if b"O'" in header:
            raise ValueError("holds Python objects (a pickle), which are never read")
        raise ValueError("holds no plain array of numbers")
    try:
        dtype = np.dtype(descr[1].decode())
    except TypeError as error:
        raise ValueError(f"has numbers of an unknown kind, {descr[1].decode()}") from error
    sizes = tuple(int(word) for word in shape[1].decode().replace(",", " ").split())
    return Layout(sizes, dtype, fortran[1] == b"True", start)


def names_in(path: Path, head: bytes) -> frozenset[str]:
    """The names of the arrays in an ``.npz`` file; none where it is no such file. Never raises.

    Args:
        path: The file.
        head: Its first bytes.
    """
    if not head.startswith(_ZIP):
        return frozenset()
    try:
        with _npz(path) as archive:
            return frozenset(archive)
    except PoseError:
        return frozenset()


def read_npz(
    path: Path, names: Collection[str], optional: Collection[str] = ()
) -> dict[str, Numbers]:
    """Some arrays of an ``.npz`` file; the others are not touched.

    Args:
        path: The file.
        names: Of arrays that must be there.
        optional: Of arrays that are left out of the result where they are not.

    Raises:
        PoseError: It cannot be read, lacks one of them, or one is damaged, too large, or a pickle.
    """
    with _npz(path) as archive:
        lacking = [name for name in names if name not in archive]
        if lacking:
            raise PoseError(f"{path}: lacks the array {lacking[0]!r}")
        wanted = [*names, *(name for name in optional if name in archive)]
        return {name: _read(archive[name], name) for name in wanted}


def read_npy(path: Path) -> Numbers:
    """The array of a ``.npy`` file.

    Raises:
        PoseError: It cannot be read, is damaged, too large, or a pickle.
    """
    with naming(path), _regular(path).open("rb") as file:
        return _numbers(file)


@dataclass(frozen=True)
class MotionArrays:
    """The arrays of a motion file that is open, by name; read when they are asked for."""

    members: "Mapping[str, _Member]"

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self.members)

    def __getitem__(self, name: str) -> Numbers:
        """Numbers.

        Raises:
            KeyError: There is no such array.
            ValueError: It is damaged, too large, or a pickle.
        """
        return _read(self.members[name], name)

    def text(self, name: str) -> str:
        """A text, which numpy keeps as an array of one.

        Raises:
            KeyError: There is no such array.
            ValueError: It is damaged, too large, or no text.
        """
        with _about(name), self.members[name].open() as file:
            head = file.read(_LONGEST_HEADER)
            start = 10 + int.from_bytes(head[8:10], "little")
            found = _TEXT.search(head[:start])
            if not head.startswith(_MAGIC + b"\1\0") or found is None:
                layout(head)  # says so of a pickle
                raise ValueError("is no text")
            data = head[start:] + _exactly(file, MOST_BYTES)
            if len(data) >= MOST_BYTES:
                raise ValueError("is too large")
            return data.decode("utf-32-le" if found[1] == b"<" else "utf-32-be").rstrip("\0")


@contextmanager
def motion_arrays(path: Path) -> Iterator[MotionArrays]:
    """Open a motion file of a run.

    Raises:
        ValueError: It cannot be read, is damaged, or would unpack to far too much; a line that
            names the file.
    """
    with _npz(path, _LARGEST_MOTION_DIRECTORY) as members:
        # zipfile unpacks no more of a member than this says.
        if sum(member.info.file_size for member in members.values()) > _MOST_UNPACKED:
            raise ValueError(f"would unpack to more than {_MOST_UNPACKED // 2**30} GiB")
        yield MotionArrays(members)


def shape_in(path: Path, name: str | None = None) -> tuple[int, ...] | None:
    """The shape of an array, from its header alone; None where there is no such array.

    Args:
        path: A ``.npy`` file, or an ``.npz`` file.
        name: Of the array in an ``.npz`` file.

    Raises:
        PoseError: The file cannot be read, or the array is none of plain numbers.
    """
    with _stream(path, name) as file:
        return None if file is None else layout(file.read(_LONGEST_HEADER)).shape


@np.errstate(over="ignore", invalid="ignore")
def some_frames(path: Path, frames: int, name: str | None = None) -> FloatArray | None:
    """Numbers of a few frames of a large array, all in a row; the rest stays where it is.

    Args:
        path: A ``.npy`` file, or an ``.npz`` file.
        frames: How many frames the array stacks.
        name: Of the array in an ``.npz`` file.

    Returns:
        (M,) numbers; None where there is no such array, or none that stacks so many.

    Raises:
        PoseError: The file cannot be read, or the array is damaged.
    """
    with _stream(path, name) as file:
        if file is None:
            return None
        found = layout(file.read(_LONGEST_HEADER))
        size, rest = divmod(found.nbytes, max(frames, 1))
        count = min(frames, _SAMPLED_FRAMES)
        if rest or found.fortran or found.nbytes > _MOST_PASSED or size * count > MOST_BYTES:
            return None
        parts = []
        for frame in np.linspace(0, frames - 1, count).round().astype(int):
            file.seek(found.start + int(frame) * size)
            part = _exactly(file, size)
            if len(part) != size:
                raise ValueError("is cut off")
            parts.append(np.frombuffer(part, found.dtype))
        return np.concatenate(parts).astype(np.float64) if parts else None


def median_depth(depths: FloatArray | None) -> float:
    """The median of depths (M,), leaving out what is no depth; NaN where there is none."""
    if depths is None:
        return math.nan
    there = depths[np.isfinite(depths) & (depths > 0.0)]
    return float(np.median(there)) if len(there) else math.nan


@contextmanager
def _npz(path: Path, largest_directory: int = _LARGEST_DIRECTORY) -> Iterator[dict[str, "_Member"]]:
    with naming(path):
        try:
            with _regular(path).open("rb") as file:
                _check_directory(file, largest_directory)
                with zipfile.ZipFile(file) as archive:
                    yield {
                        info.filename.removesuffix(".npy"): _Member(archive, info)
                        for info in archive.infolist()
                    }
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            raise PoseError(f"{path}: is damaged or cut off: {error}") from error
        except (NotImplementedError, RuntimeError, OverflowError) as error:
            raise PoseError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Member:
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def open(self) -> IO[bytes]:
        # The others unpack all that they are given at once, however much that becomes.
        if self.info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"the array {self.info.filename!r} is packed in an unusual way")
        return self.archive.open(self.info)


@contextmanager
def _stream(path: Path, name: str | None) -> Iterator[IO[bytes] | None]:
    if name is None:
        if not path.exists():
            yield None
            return
        with naming(path), _regular(path).open("rb") as file:
            yield file
        return
    with _npz(path) as archive:
        if name not in archive:
            yield None
            return
        with _about(name), archive[name].open() as file:
            yield file


def _read(member: _Member, name: str) -> Numbers:
    with _about(name), member.open() as file:
        return _numbers(file)


def _numbers(file: IO[bytes]) -> Numbers:
    head = file.read(_LONGEST_HEADER)
    found = layout(head)
    if found.nbytes > MOST_BYTES:
        raise ValueError(f"of shape {found.shape} is too large")
    data = head[found.start :] + _exactly(file, found.nbytes + 1 - len(head) + found.start)
    if len(data) != found.nbytes:
        what = "less" if len(data) < found.nbytes else "more"
        raise ValueError(f"holds {what} than the {found.nbytes} bytes that its header says")
    return np.frombuffer(data, found.dtype).reshape(
        found.shape, order="F" if found.fortran else "C"
    )


def _exactly(file: IO[bytes], size: int) -> bytes:
    """So many bytes, or as many as there are."""
    data = bytearray()
    while len(data) < size:
        chunk = file.read(min(_CHUNK, size - len(data)))
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _check_directory(file: IO[bytes], largest: int) -> None:
    """Refuse a zip file whose directory would itself fill the memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size or not tail.startswith(b"PK\x05\x06"):
        raise ValueError("is cut off, or no npz file")
    _, _, _, _, members, directory, _, _ = _END.unpack(tail)
    file.seek(max(0, size - _END.size - _LARGE_PLACE))
    if file.read(4) == b"PK\x06\x07":
        file.seek(max(0, size - _END.size - _LARGE_PLACE - _LARGE_END.size))
        _, _, _, _, _, _, _, members, directory, _ = _LARGE_END.unpack(file.read(_LARGE_END.size))
    if directory > largest:
        raise ValueError(f"is too large, with {members} arrays")


def _regular(path: Path) -> Path:
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    return path


@contextmanager
def _about(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"the array {name!r} {error}") from error


# What is not finite, or becomes so here, is for whoever checks the poses.
@np.errstate(over="ignore", invalid="ignore")
def world_from_camera(matrices: FloatArray, convention: Convention) -> FloatArray:
    """(N, 4, 4) poses of matrices (N, 4, 4) as a file means them.

    Raises:
        BadPose: The last row is not 0 0 0 1.
    """
    last = matrices[:, :, 3] if convention.transposed else matrices[:, 3]
    # Here, since the inverse of a rigid motion makes a new one.
    mixed = np.abs(last - (0.0, 0.0, 0.0, 1.0)).max(axis=1) > _TOLERANCE
    if mixed.any():
        what = "column" if convention.transposed else "row"
        other = "not transposed, as was said" if convention.transposed else "transposed"
        raise BadPose(
            int(mixed.argmax()),
            f"has a matrix whose last {what} is not 0 0 0 1; perhaps it is {other}",
        )
    return to_opencv(matrices, convention)


def to_matrices(cameras: CameraPath, convention: Convention) -> FloatArray:
    """(M, 4, 4) matrices of the poses that there are, as a file means them.

    Raises:
        ValueError: There is none.
    """
    if not cameras.there.any():
        raise ValueError("there is no pose to write")
    return from_opencv(cameras.world_from_camera[cameras.there], convention)


@np.errstate(over="ignore", invalid="ignore")
def stack(name: str, values: Numbers, *shapes: tuple[int, int]) -> FloatArray:
    """(N, *shape) matrices of an array that may have an axis of one batch, or be one matrix.

    (N, 3, 4) poses come back as (N, 4, 4).

    Raises:
        ValueError: It has none of the shapes.
    """
    matrices = np.asarray(values, np.float64)
    if matrices.ndim == 4 and len(matrices) == 1:
        matrices = matrices[0]
    if matrices.ndim == 2:
        matrices = matrices[None]
    if matrices.ndim != 3 or matrices.shape[1:] not in shapes:
        wanted = " or ".join(f"(N, {rows}, {columns})" for rows, columns in shapes)
        raise ValueError(f"has the array {name!r} of shape {values.shape}, expected {wanted}")
    if matrices.shape[1:] == (3, 4):
        last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (len(matrices), 1, 4))
        matrices = np.concatenate([matrices, last], axis=1)
    return matrices
