"""Small awkward clips, encoded when the tests run."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest


def encode(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    stamps: Iterable[int] | None = None,
    base: Fraction = Fraction(1, 1000),
    rate: int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rotation: float | None = None,
    hflip: bool = False,
    aspect: Fraction | None = None,
    full_range: bool = False,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
) -> Path:
    """Writes grey (H, W) or RGB images; ``stamps`` are presentation times in units of ``base``."""
    images = list(images)
    if stamps is None:
        base, stamps = Fraction(1, rate), range(len(images))
    with av.open(
        str(path), "w", format=format, container_options=container_options or {}
    ) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        stream.options = options if options is not None else {"crf": "5"} if "x26" in codec else {}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if full_range:
            stream.codec_context.color_range = 2
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=hflip)
        for image, stamp in zip(images, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image), "gray" if image.ndim == 2 else "rgb24"
            )
            frame = frame.reformat(format=pixels, dst_color_range=2 if full_range else None)
            frame.pts, frame.time_base = stamp, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def stairs(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures that say their number by their grey level, with a white mark at the top left."""
    width, height = size
    images = []
    for number in range(count):
        image = np.full((height, width), 20 + 4 * number, np.uint8)
        image[: height // 4, : width // 4] = 255
        images.append(image)
    return images


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """``make_clip(name, images, ...)`` encodes a clip in the test's folder."""

    def make(name: str, images: Iterable[np.ndarray], **how: Any) -> Path:
        return encode(tmp_path / name, images, **how)

    return make


@pytest.fixture
def numbered() -> Callable[..., list[np.ndarray]]:
    """``numbered(count, size)``: pictures that say their number by their grey level."""
    return stairs
