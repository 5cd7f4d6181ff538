"""A clip as a row of small pictures, evenly spaced in time."""

import base64
import time
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.content import Content, unchanged
from dollygrip.runners.video import Frame, FrameRequest, VideoError, printable, read_frames

PICTURES = 8
# Long side in pixels, and how many bytes a picture may have: a report holds hundreds of them.
_LONG_SIDE = 160
_MOST_BYTES = 3600
_QUALITIES = (75, 60, 45, 30)
_RATE = 12.0
# Pictures held while reading; how long a clip is need not be known, nor believed.
_MOST_HELD = 128
# Seconds after which a clip is not read on.
_PATIENCE = 20.0


def filmstrip(path: Path, content: Content | None = None) -> dict[str, Any]:
    """Small pictures of a clip.

    Args:
        path: A video file, or a folder of pictures.
        content: What the file held when it was labelled; pictures of another one are not shown.

    Returns:
        JSON-ready: ``pictures``, each with its ``time`` in seconds from the first frame and its
        ``source``, a data address; ``width`` and ``height`` in pixels; ``note``, a sentence where
        pictures are missing, else empty.
    """
    try:
        frames, note = _read(path)
    except VideoError as error:
        return _strip([], _reason(path, error))
    if content is not None and not unchanged(path, content):
        return _strip([], f"{printable(path)} is no longer the file that was labelled.")
    return _strip(_spread(frames), note)


def _reason(path: Path, error: VideoError) -> str:
    if error.failure.reason is Reason.MISSING and not path.is_absolute():
        return (
            f"{printable(path)} is not here; to see its pictures, compare in the folder in which it"
            " was labelled."
        )
    return error.failure.message


def _read(path: Path) -> tuple[list[Frame], str]:
    """At most a fixed number of pictures from all of the clip, and what went wrong."""
    reader = read_frames(path, FrameRequest(_LONG_SIDE, _RATE, color=True))
    held: list[Frame] = []
    every, started = 1, time.monotonic()
    for number, frame in enumerate(reader):
        if number % every == 0:
            held.append(frame)
        if len(held) == _MOST_HELD:
            held, every = held[::2], 2 * every
        if time.monotonic() - started > _PATIENCE:
            return held, f"Only the first {frame.time:.0f} s are shown: reading on takes too long."
    return held, " ".join(warning.message for warning in reader.warnings)


def _spread(frames: list[Frame]) -> list[Frame]:
    """Those nearest to the middles of equal parts of the time."""
    times = np.array([frame.time for frame in frames])
    middles = (np.arange(PICTURES) + 0.5) / PICTURES * times[-1]
    nearest = np.abs(times - middles[:, None]).argmin(axis=1)
    return [frames[i] for i in np.unique(nearest)]


def _strip(frames: list[Frame], note: str) -> dict[str, Any]:
    height, width = frames[0].image.shape[:2] if frames else (0, 0)
    pictures = [{"time": round(f.time, 2), "source": _data_address(f)} for f in frames]
    return {"pictures": pictures, "width": width, "height": height, "note": note}


def _data_address(frame: Frame) -> str:
    """The picture inside its own address; as JPEG, which a browser prints as it is."""
    import cv2

    for quality in _QUALITIES:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        data = cv2.imencode(".jpg", frame.image[..., ::-1], options)[1].tobytes()
        if len(data) <= _MOST_BYTES:
            break
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
