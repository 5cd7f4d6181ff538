"""Pictures written as H.264, each at its own time."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

_TIME_BASE = Fraction(1, 90_000)

View = tuple[float, npt.NDArray[np.uint8]]
"""Seconds from the first picture, and the (H, W, 3) RGB picture to show then."""


def encode(
    container: OutputContainer, views: Iterable[View], rate: float, options: Mapping[str, str]
) -> None:
    """Write pictures into a container.

    Args:
        container: Gets one stream of video.
        views: Pictures of one even size.
        rate: About how many there are a second.
        options: Of libx264.
    """
    nominal = Fraction(rate).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=nominal, options=dict(options))
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    for time, image in views:
        if not stream.codec_context.is_open:
            stream.height, stream.width = image.shape[:2]
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.time_base = _TIME_BASE
        frame.pts = round(time / _TIME_BASE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
