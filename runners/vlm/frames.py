"""The pictures of a clip that a model gets to see."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.video import FrameRequest, VideoError, printable, read_frames
from dollygrip.runners.vlm.errors import VlmError

MOST_FRAMES = 128
"""Of one clip; with a rate, longer clips are sampled more thinly."""

LEAST_PIXELS, MOST_PIXELS = 64, 2048
"""On the long side; models that take more shrink what they get."""

# Keeps every frame.
_ALL = 1e6
# Times are all that the first pass is after.
_TINY = 16
_QUALITY = 90
_THREADS = 2


@dataclass(frozen=True)
class Sampling:
    """Which pictures to take.

    Attributes:
        frames: How many, evenly by presentation time, the first and the last frame among them.
        rate: Instead, how many a second, at most :data:`MOST_FRAMES`; None for ``frames``.
        long_side: Pixels; pictures are shrunk to it, never enlarged.
    """

    frames: int = 8
    rate: float | None = None
    long_side: int = 512

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not 2 <= self.frames <= MOST_FRAMES:
            raise VlmError(f"a model is shown 2 to {MOST_FRAMES} frames, not {self.frames}")
        if not LEAST_PIXELS <= self.long_side <= MOST_PIXELS:
            raise VlmError(
                f"frames are {LEAST_PIXELS} to {MOST_PIXELS} pixels long, not {self.long_side}"
            )

    def __str__(self) -> str:
        """In words, for score files."""
        many = f"{self.frames} frames" if self.rate is None else f"{self.rate:g} frames a second"
        return f"{many} of {self.long_side} px"


@dataclass(frozen=True)
class Sample:
    """Which frames of a clip were chosen, without their pictures.

    Attributes:
        indices: Numbers of the frames in order of presentation.
        times: When they are shown, in seconds from the first frame of the clip.
        size: Width and height of the pictures in pixels.
        digest: Of the encoded pictures: the same pictures, the same answers.
    """

    indices: tuple[int, ...]
    times: tuple[float, ...]
    size: tuple[int, int]
    digest: str


def sample(path: Path, sampling: Sampling) -> Sample:
    """Choose the frames of a clip; it is decoded twice, and never held as a whole.

    Raises:
        VideoError: It cannot be read, or has a single picture.
    """
    request = FrameRequest(_TINY, _ALL)
    shown = [(f.index, f.time) for f in read_frames(path, request, threads=_THREADS)]
    if len(shown) < 2:
        raise VideoError(Reason.TOO_SHORT, f"{printable(path)}: one picture does not move.")
    indices, times = (np.array(column) for column in zip(*shown, strict=True))
    chosen = _evenly(times, sampling)
    kept = tuple(int(index) for index in indices[chosen])
    encoded, size = _encoded(path, kept, sampling.long_side)
    return Sample(kept, tuple(float(t) for t in times[chosen]), size, _digest(encoded))


def pictures(path: Path, chosen: Sample, sampling: Sampling) -> tuple[bytes, ...]:
    """The pictures of a sample as JPEG files, in order.

    Raises:
        VideoError: The clip cannot be read any more, or is another one now.
    """
    encoded, _ = _encoded(path, chosen.indices, sampling.long_side)
    if _digest(encoded) != chosen.digest:
        raise VideoError(Reason.DECODE_ERROR, f"{printable(path)} changed while it was read.")
    return encoded


def _evenly(times: np.ndarray, sampling: Sampling) -> list[int]:
    """Positions of the frames that are nearest to evenly spread times; each once."""
    count = sampling.frames
    if sampling.rate is not None:
        count = min(max(round((times[-1] - times[0]) * sampling.rate) + 1, 2), MOST_FRAMES)
    wanted = np.linspace(times[0], times[-1], count)
    return sorted({int(np.argmin(np.abs(times - time))) for time in wanted})


def _encoded(
    path: Path, indices: Sequence[int], long_side: int
) -> tuple[tuple[bytes, ...], tuple[int, int]]:
    """Some frames as JPEG files, and their width and height."""
    import cv2

    wanted, found, size = frozenset(indices), list[bytes](), (0, 0)
    request = FrameRequest(long_side, _ALL, color=True)
    for frame in read_frames(path, request, threads=_THREADS):
        if frame.index in wanted:
            size = (frame.image.shape[1], frame.image.shape[0])
            swapped = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            _, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            found.append(data.tobytes())
    return tuple(found), size


def _digest(encoded: Sequence[bytes]) -> str:
    """One hash of several files, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for data in encoded:
        digest.update(hashlib.blake2b(data).digest())
    return digest.hexdigest()
