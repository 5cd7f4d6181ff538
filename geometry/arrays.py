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


class Groups:
    """Rows of an array that belong together, to be summed again and again."""

    def __init__(self, keys: IntArray, count: int) -> None:
        """Sort once.

        Args:
            keys: (K,) group of each row, 0 to ``count`` - 1.
            count: Number of groups; those without rows sum to zero.
        """
        self._count = count
        self._order = np.argsort(keys, kind="stable")
        ordered = keys[self._order]
        first = np.ones(len(keys), dtype=np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        self._starts = np.flatnonzero(first)
        self._present = ordered[self._starts]

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum the rows of ``values`` (K, ...) to (count, ...)."""
        sums = np.zeros((self._count, *values.shape[1:]))
        if len(self._starts):
            sums[self._present] = np.add.reduceat(values[self._order], self._starts, axis=0)
        return sums

    def sum_columns(self, values: FloatArray) -> FloatArray:
        """Sum the columns of ``values`` (C, K) to (C, count); quicker when groups are large."""
        sums = np.zeros((len(values), self._count))
        if len(self._starts):
            sums[:, self._present] = np.add.reduceat(values[:, self._order], self._starts, axis=1)
        return sums
