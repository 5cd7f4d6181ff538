"""PLY: coloured points and edges between them, read by MeshLab, Blender, Open3D and others."""

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray, IntArray

_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


def ply(
    vertices: FloatArray,
    colors: npt.NDArray[np.uint8],
    edges: IntArray,
    comment: str,
) -> bytes:
    """The content of a binary PLY file.

    Args:
        vertices: (V, 3) points.
        colors: (V, 3) RGB of each.
        edges: (E, 2) numbers of the two vertices of each.
        comment: A line of ASCII for people.
    """
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment {comment}",
        f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {color}" for color in ("red", "green", "blue")),
        f"element edge {len(edges)}",
        *(f"property int vertex{end}" for end in (1, 2)),
        "end_header\n",
    ]
    points = np.zeros(len(vertices), _VERTEX)
    points["xyz"], points["rgb"] = vertices, colors
    return "\n".join(header).encode("ascii") + points.tobytes() + edges.astype("<i4").tobytes()
