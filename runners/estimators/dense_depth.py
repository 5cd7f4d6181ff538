"""A monocular depth model as a prior on inverse depths, where parallax says little of them.

The rule is MegaSaM's (Li et al., CVPR 2025, arXiv 2412.04463): inverse depths from a network steady
a camera that hardly travels and mislead one that does. So the prior fades as parallax grows, and
is dropped where there is plenty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.bundle import DEPTH_SPREAD, TEMPER
from dollygrip.runners.estimators.dense_flow import CELL, FlowGraph
from dollygrip.runners.estimators.windows import GROUND

ColorImage = npt.NDArray[np.uint8]

# One standard deviation of a network's inverse depth, in the unit in which the scene's is 1. Its
# errors are alike from pixel to pixel and from frame to frame, so that it is weighed by TEMPER.
_SPREAD = 0.15
# Squared pixels of a picture of an eighth of the size by which a pixel moves, over all pairs, when
# its inverse depth changes by one: the prior fades at this rate, and is off from there on.
_FADING, _ENOUGH = 0.1, 25.0
# Percentiles of a picture's inverse depths that say where it begins, is and ends.
_ENDS = (2.0, 50.0, 98.0)


@dataclass(frozen=True, eq=False)
class Expected:
    """What is thought of the inverse depths of N keyframes, of P cells each.

    Attributes:
        mean: (N, P) for a scene whose typical depth is 1.
        precision: (N, P) one over the variance.
    """

    mean: FloatArray
    precision: FloatArray


class DepthProvider(Protocol):
    """Any source of monocular depth."""

    def __call__(self, picture: ColorImage, /) -> npt.ArrayLike:
        """Inverse depth (h, w), of any size, in any unit and from any zero, of RGB (H, W, 3)."""
        ...


def load_depth_model(name: str, device: str, *, download: bool = False) -> DepthProvider:
    """A Depth Anything checkpoint, relative or metric, through ``transformers``.

    Args:
        name: Its folder, or its name on the model hub.
        device: "cpu" or "cuda".
        download: Whether it may be fetched when it is not on this machine.

    Raises:
        ImportError: ``transformers`` is not installed.
        ValueError: There is no such model here.
    """
    try:
        transformers: Any = import_module("transformers")
    except ImportError as error:
        raise ImportError(
            f"depth_model {name!r} needs transformers: pip install transformers"
        ) from error
    import torch

    try:
        prepare = transformers.AutoImageProcessor.from_pretrained(
            name, local_files_only=not download
        )
        model = transformers.AutoModelForDepthEstimation.from_pretrained(
            name, local_files_only=not download
        )
    except (OSError, ValueError) as error:
        line = str(error).strip().partition("\n")[0]
        hint = "" if download or Path(name).is_dir() else " (depth_download = true fetches it)"
        raise ValueError(f"depth_model {name!r} cannot be loaded{hint}: {line}") from error
    model = model.to(device).eval()
    metric = getattr(model.config, "depth_estimation_type", "relative") == "metric"

    def provider(picture: ColorImage, /) -> npt.ArrayLike:
        with torch.inference_mode():
            depth = model(**prepare(images=picture, return_tensors="pt").to(device)).predicted_depth
        values = np.asarray(depth[0].float().cpu(), dtype=np.float32)
        return 1.0 / np.maximum(values, 1e-3) if metric else values

    return provider


def expected_depths(graph: FlowGraph) -> Expected:
    """What is thought of depths when nothing is known: all alike, the ground a little nearer."""
    lower = graph.xy[..., 1] / (0.5 * graph.size[1])
    return Expected(1.0 + GROUND * lower, np.full(lower.shape, DEPTH_SPREAD**-2))


def depths_from(
    graph: FlowGraph, pictures: Sequence[ColorImage], provider: DepthProvider
) -> Expected:
    """What a depth model says of the keyframes, each brought to inverse depths from 0 to 2 about 1.

    Frames whose map is not finite, or the same all over, say nothing.
    """
    plain = expected_depths(graph)
    mean, precision = plain.mean.copy(), plain.precision.copy()
    width, height = graph.size
    for number, picture in enumerate(pictures):
        values = np.asarray(provider(picture), dtype=np.float32)
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            continue
        shown = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
        shown = cv2.blur(shown, (CELL // 2 + 1, CELL // 2 + 1))
        column, row = np.round(graph.xy[number] + (np.array([width, height]) - 1) / 2).T
        at = shown[row.astype(np.intp), column.astype(np.intp)].astype(np.float64)
        far, middle, near = np.percentile(at, _ENDS)
        # Neither is the far end beyond infinity, nor the near one nearer than is usual.
        reach = max(middle - far, near - middle)
        if reach > 0.0:
            mean[number] = (1.0 + (at - middle) / reach).clip(0.0)
            precision[number] = TEMPER * _SPREAD**-2
    return Expected(mean, precision)


def aligned(model: Expected, plain: Expected, found: FloatArray, parallax: float) -> Expected:
    """A depth model's say, once a path was found.

    Args:
        model: From :func:`depths_from`.
        plain: From :func:`expected_depths`.
        found: (N, P) inverse depths that go with the path.
        parallax: Squared pixels of a picture of an eighth of the size by which the median pixel
            moves, over all pairs, when its inverse depth changes by one.

    Returns:
        The model's values brought to each frame's median and spread of what was found, as far as
        parallax leaves room for them.
    """
    if parallax >= _ENOUGH:
        return plain
    said = model.precision > plain.precision

    def spread(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        middle = np.median(values, axis=1, keepdims=True)
        return middle, np.median(np.abs(values - middle), axis=1, keepdims=True)

    (middle, width), (to_middle, to_width) = spread(model.mean), spread(found)
    scale = to_width / np.maximum(width, 1e-6)
    # Twice as deep or flat is as far as a path that is not sure of its depths may reach.
    scale = np.clip(scale, 0.5, 2.0)
    mean = to_middle + scale * (model.mean - middle)
    weight = np.exp(-_FADING * parallax)
    precision = weight * model.precision + (1.0 - weight) * plain.precision
    return Expected(np.where(said, mean, plain.mean), np.where(said, precision, plain.precision))
