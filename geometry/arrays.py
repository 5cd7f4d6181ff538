"""Array types, and the one check that every array held by a frozen type goes through."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]


def read_only(name: str, values: npt.ArrayLike, shape: tuple[int, ...], dtype: Any) -> Any:
    """A read-only copy of ``values``, checked against ``shape``.

    Args:
        name: What the array is called in an error message.
        values: The values.
        shape: The expected shape; -1 matches any length.
        dtype: The numpy type to store.

    Returns:
        A C-contiguous, read-only array.

    Raises:
        ValueError: The shape does not match.
    """
    array = np.array(values, dtype=dtype, order="C")
    fits = array.ndim == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    array.setflags(write=False)
    return array
