"""Depth and movement of whole pictures, ``maps/*.npz`` of a run, without pickle.

``docs/records.md`` lists the arrays for programs that read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray, read_only
from dollygrip.runners.formats.arrays import motion_arrays
from dollygrip.runners.formats.files import npz

Maps = npt.NDArray[np.float32]

_ARRAYS = ("times", "depths", "moving")


@dataclass(frozen=True, eq=False)
class SceneMaps:
    """What an estimator knows of every pixel in some frames of a shot.

    Attributes:
        times: (K,) seconds from the first frame of the clip.
        depths: (K, H, W) depth along the camera's z, in the unit of the likeliest path's centres;
            NaN where unknown.
        moving: (K, H, W) probability, 0 to 1, that what is seen there moves by itself.
    """

    times: FloatArray
    depths: Maps
    moving: Maps

    def __post_init__(self) -> None:
        """Check shapes; store read-only copies."""
        shape = np.shape(self.depths)
        put = object.__setattr__
        put(self, "times", read_only("times", self.times, shape[:1], np.float64))
        put(self, "depths", read_only("depths", self.depths, shape, np.float32))
        put(self, "moving", read_only("moving", self.moving, shape, np.float32))
        if len(shape) != 3:
            raise ValueError(f"depths has shape {shape}, expected (K, H, W)")


def maps_npz(shots: Sequence[SceneMaps | None]) -> bytes:
    """The maps of all shots that have some, as a file of ``maps``."""
    return npz(
        {
            f"shot{i}_{name}": getattr(maps, name)
            for i, maps in enumerate(shots)
            if maps is not None
            for name in _ARRAYS
        }
    )


def read_maps(path: Path) -> dict[int, SceneMaps]:
    """Read what :func:`maps_npz` made: maps by the number of their shot, from 0.

    Raises:
        ValueError: The file is missing, damaged or a bomb.
    """
    try:
        with motion_arrays(path) as arrays:
            shots = sorted(
                int(key.removeprefix("shot").removesuffix("_times"))
                for key in arrays
                if key.endswith("_times")
            )
            return {i: SceneMaps(*(arrays[f"shot{i}_{name}"] for name in _ARRAYS)) for i in shots}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} holds no maps: {error}") from error
