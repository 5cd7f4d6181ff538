"""The cameras and points of a clip in space, as a file for a 3D viewer."""

import importlib.util
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.records import ShotLabels
from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.runners.drawing import BLUE, GREY, Color
from dollygrip.runners.estimators.base import Estimator, MotionReader
from dollygrip.runners.formats.ply import ply
from dollygrip.runners.space import Space, frustum, shown_cameras, spaces
from dollygrip.runners.video import printable
from dollygrip.runners.views import ViewError, appearing, labelled, look_through, tracked

# Of the pictures inside the cameras.
LONG_SIDE = 640
# How large a camera is drawn, as a share of how far the scene is.
_CAMERA = 0.08


def write_scene(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    estimator: Estimator | MotionReader,
    classifier: Classifier,
) -> ShotLabels:
    """Label a clip and write where its cameras and points are.

    A Rerun recording (``.rrd``) has everything over time, shot by shot. A PLY file (``.ply``) has
    the points, the path and some of the cameras of a clip of one shot.

    Args:
        path: A video file, or a folder of pictures.
        out: The file to write; it appears whole or not at all.
        estimator: Estimates the motion of each shot.
        classifier: Turns motion into labels.

    Returns:
        What holds for the clip.

    Raises:
        VideoError: The clip cannot be read.
        ViewError: The file cannot be written.
    """
    clip, target = Path(path), Path(out)
    name, kind = printable(target), target.suffix.lower()
    if kind not in (".rrd", ".ply"):
        raise ViewError(f"{name}: give it a name that ends in .rrd (Rerun) or .ply")
    if kind == ".rrd" and importlib.util.find_spec("rerun") is None:
        raise ViewError(
            f"{name}: Rerun recordings need the package rerun-sdk: pip install 'dollygrip[view]', "
            "or give a name that ends in .ply"
        )
    with appearing(clip, target) as file:
        result = labelled(clip, estimator, classifier)
        if kind == ".ply" and len(result.shots) > 1:
            raise ViewError(
                f"{name}: the clip has {len(result.shots)} shots, each a space of its own, and a "
                "PLY file holds one; give a name that ends in .rrd"
            )
        looked = spaces(look_through(clip, tracked(estimator), result, LONG_SIDE))
        if kind == ".rrd":
            from dollygrip.runners.recording import record

            record(file, clip.name, result, looked)
        else:
            *_, (_, space) = looked
            _write_ply(file, space)
    return result.record.whole


def _write_ply(file: BinaryIO, space: Space) -> None:
    """Points that have a depth, the path in blue and cameras in grey; what moves is orange."""
    vertices = [space.points[space.placed]]
    colors = [space.shown_colors[space.placed]]
    edges = [np.zeros((0, 2), np.intp)]

    def add(strip: FloatArray, links: IntArray, color: Color) -> None:
        edges.append(links + sum(map(len, vertices)))
        vertices.append(strip)
        colors.append(np.tile(np.array(color, np.uint8), (len(strip), 1)))

    if space.path is not None:
        way = space.path.centers[space.path.valid]
        add(way, np.column_stack([np.arange(len(way) - 1), np.arange(1, len(way))]), BLUE)
        sides = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])
        for pose in shown_cameras(space.path):
            add(frustum(space.path, pose, _CAMERA * space.reach), sides, GREY)
    file.write(
        ply(
            np.concatenate(vertices),
            np.concatenate(colors),
            np.concatenate(edges),
            comment="axes of the first camera: x right, y down, z ahead",
        )
    )
