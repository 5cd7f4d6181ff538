"""The frames of a shot as files, for programs that read pictures or a video of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray, read_only
from dollygrip.runners.video import Frame

CLIP_RATE = 24
"""Frames a second of a written clip, whatever their true times."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Frames that were written as pictures, one file each.

    Attributes:
        folder: Where they are; nothing else was written there.
        names: (N,) file names: ``000000.png`` and so on, without gaps, in order of time.
        times: (N,) seconds from the first frame of the source.
        size: (width, height) in pixels.
    """

    folder: Path
    names: tuple[str, ...]
    times: FloatArray
    size: tuple[int, int]

    def __post_init__(self) -> None:
        """Check that there is a time for every name; store a read-only copy."""
        times = read_only("times", self.times, (len(self.names),), np.float64)
        object.__setattr__(self, "times", times)


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames that were written as one video.

    Attributes:
        path: The file.
        times: (N,) seconds from the first frame of the source. In the clip, frame i is shown at
            ``i / CLIP_RATE``, so that counting frames and reading the clock come to the same.
        size: (width, height) in pixels, both even.
    """

    path: Path
    times: FloatArray
    size: tuple[int, int]

    def __post_init__(self) -> None:
        """Store a read-only copy of the times."""
        times = read_only("times", self.times, (len(self.times),), np.float64)
        object.__setattr__(self, "times", times)


def write_pictures(frames: Iterable[Frame], folder: Path, most: int | None = None) -> Pictures:
    """Write frames as PNG files.

    Args:
        frames: Grey or RGB, of one size, in order of time; read once.
        folder: An empty folder.
        most: At most this many (at least 2), evenly thinned, of which no more are held in memory;
            None for all, one at a time.

    Returns:
        What was written; no names and the size (0, 0) where there are no frames.

    Raises:
        OSError: A file cannot be written.
    """
    import cv2

    names, times, size = [], [], (0, 0)
    for number, frame in enumerate(_thinned(frames, most)):
        image = frame.image if frame.image.ndim == 2 else frame.image[..., ::-1]
        # Not imwrite, which says no more than False when the disk is full.
        encoded = cv2.imencode(".png", image)[1]
        names.append(f"{number:06d}.png")
        (folder / names[-1]).write_bytes(encoded.tobytes())
        times.append(frame.time)
        size = (image.shape[1], image.shape[0])
    return Pictures(folder, tuple(names), np.array(times), size)


def write_clip(frames: Iterable[Frame], path: Path, most: int | None = None) -> Clip:
    """Write frames as one H.264 video in MP4, at a constant rate.

    Args:
        frames: As for :func:`write_pictures`. An odd last row or column is left out, which H.264
            cannot hold.
        path: The file.
        most: As for :func:`write_pictures`.

    Returns:
        What was written; no times and the size (0, 0), and no file, where there are no frames.

    Raises:
        OSError: The file cannot be written.
    """
    import av

    kept = _thinned(frames, most)
    first = next(kept, None)
    if first is None:
        return Clip(path, np.empty(0), (0, 0))
    height, width = (side // 2 * 2 for side in first.image.shape[:2])
    times = []
    with av.open(str(path), "w", format="mp4") as container:
        # Nearly lossless; one thread, so that the file is the same on every machine.
        options = {"crf": "12", "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=CLIP_RATE, options=options)
        stream.pix_fmt, stream.width, stream.height = "yuv420p", width, height
        for frame in chain([first], kept):
            image = np.ascontiguousarray(frame.image[:height, :width])
            kind = "gray" if image.ndim == 2 else "rgb24"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=kind)))
            times.append(frame.time)
        container.mux(stream.encode(None))
    return Clip(path, np.array(times), (width, height))


def _thinned(frames: Iterable[Frame], most: int | None) -> Iterator[Frame]:
    """All frames; or the first, every k-th and the last, with the least k = 1, 2, 4 that will do.

    Args:
        frames: In order of time.
        most: How many there may be.
    """
    if most is None:
        yield from frames
        return
    kept: list[Frame] = []
    step, last = 1, None
    for number, frame in enumerate(frames):
        last = frame
        if number % step == 0:
            if len(kept) == most:
                del kept[1::2]
                step *= 2
            if number % step == 0:
                kept.append(frame)
    if last is not None and last is not kept[-1]:
        # The end of the move counts more than an even beat.
        if len(kept) == most:
            kept.pop()
        kept.append(last)
    yield from kept
