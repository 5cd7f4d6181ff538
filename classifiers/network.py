"""Small networks that answer a yes/no question about a row of features, and their weights file.

Nothing here learns: :mod:`dollygrip.classifiers.fitting` does, and needs torch for it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray, read_only

FORMAT = "dollygrip networks 1"

# Standardised features are bent towards this many standard deviations, so that a row far from all
# that was trained on gets an answer like the farthest ones that were.
SQUASH = 5.0

MOST_BYTES = 8_000_000
"""Size of the largest weights file that is read; the shipped one has a hundredth of it."""

# So that float32 weights of any size give logits that float64 can hold.
_MOST_LAYERS = 4


@dataclass(frozen=True, eq=False)
class Network:
    """Multilayer perceptrons of one shape that answer together, by the mean of their logits.

    Hidden layers are rectified. Arrays are float32, as in the file; sums are made in float64.

    Attributes:
        mean: (K,) of each feature in training.
        scale: (K,) spread of each feature in training, above 0.
        shift: (K,) added to the logit for each squashed standard deviation of a feature: 0 until
            calibration finds that kinds of rows differ.
        weights: For each layer (M, in, out) of the M members; the first has K in, the last 1 out.
        biases: For each layer (M, out).
    """

    mean: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]
    shift: npt.NDArray[np.float32]
    weights: tuple[npt.NDArray[np.float32], ...]
    biases: tuple[npt.NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        """Check shapes and numbers.

        Raises:
            ValueError: Shapes do not fit each other, or a number is not finite.
        """
        width = np.size(self.mean)
        for name in ("mean", "scale", "shift"):
            object.__setattr__(self, name, _checked(name, getattr(self, name), (width,)))
        if not (self.scale > 0).all():
            raise ValueError("a scale is not above 0")
        layers = len(self.weights)
        if layers != len(self.biases) or not 1 <= layers <= _MOST_LAYERS:
            raise ValueError(
                f"{layers} weights and {len(self.biases)} biases, expected 1 to {_MOST_LAYERS}"
            )
        members = len(self.weights[0])
        weights, biases = [], []
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            weights.append(_checked(f"weight {i}", weight, (members, width, -1)))
            width = weights[-1].shape[2]
            biases.append(_checked(f"bias {i}", bias, (members, width)))
        if members == 0 or width != 1:
            raise ValueError(f"{members} members with {width} outputs, expected 1 output")
        object.__setattr__(self, "weights", tuple(weights))
        object.__setattr__(self, "biases", tuple(biases))

    @property
    def width(self) -> int:
        """Number of features K."""
        return len(self.mean)

    def standardised(self, rows: npt.ArrayLike) -> FloatArray:
        """(n, K) features as the first layer sees them, within ``SQUASH``.

        Raises:
            ValueError: ``rows`` is not (n, K), or has NaN.
        """
        values = np.asarray(rows, np.float64)
        if values.ndim != 2 or values.shape[1] != self.width:
            raise ValueError(f"rows have shape {values.shape}, expected (n, {self.width})")
        if np.isnan(values).any():
            raise ValueError("a feature is not a number")
        return squashed((values - self.mean) / self.scale)

    def logits(self, rows: npt.ArrayLike) -> FloatArray:
        """(n,) log odds of a yes.

        Args:
            rows: (n, K) features.

        Raises:
            ValueError: ``rows`` is not (n, K), or has NaN.
        """
        inputs = self.standardised(rows)
        values = inputs
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = np.maximum(values @ weight + bias[:, None, :], 0.0)
        answers = values @ self.weights[-1] + self.biases[-1][:, None, :]
        return np.asarray(answers[..., 0].mean(axis=0) + inputs @ self.shift)

    def probabilities(self, rows: npt.ArrayLike) -> FloatArray:
        """(n,) chance of a yes; arguments and errors as for :meth:`logits`."""
        return probability(self.logits(rows))

    def averaged_with(self, column: int) -> Self:
        """A network with logits halfway between its own and the log odds that a feature holds.

        Those far from their mean are squashed as every feature is.

        Args:
            column: The feature.
        """
        shift = np.zeros(self.width)
        shift[column] = 0.5 * self.scale[column]
        return self.recalibrated(0.5, 0.5 * float(self.mean[column]), shift)

    def recalibrated(self, slope: float, offset: float, shift: FloatArray) -> Self:
        """A network with logits ``slope * logit + offset + inputs @ shift``.

        Args:
            slope: Inverse temperature.
            offset: Log odds.
            shift: (K,) for each unit of what :meth:`standardised` returns.
        """
        *weights, last_weight = self.weights
        *biases, last_bias = self.biases
        return replace(
            self,
            shift=np.asarray(slope * self.shift + shift, np.float32),
            weights=(*weights, slope * last_weight),
            biases=(*biases, slope * last_bias + offset),
        )


def squashed(standardised: FloatArray) -> FloatArray:
    """Bent towards +-``SQUASH``, hardly at all near 0."""
    return np.asarray(SQUASH * np.tanh(standardised / SQUASH))


def probability(logits: FloatArray) -> FloatArray:
    """The chance that log odds stand for; no overflow at any size."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def to_bytes(networks: Mapping[str, Network], recipe: Mapping[str, Any]) -> bytes:
    """A safetensors file; equal arguments give equal bytes.

    Args:
        networks: By name, without dots.
        recipe: How they were made, JSON-ready; read back by :func:`from_bytes`.

    Raises:
        ValueError: The recipe is not JSON-ready.
    """
    from safetensors.numpy import save

    tensors = {
        f"{name}.{part}": array
        for name, network in networks.items()
        for part, array in _parts(network).items()
    }
    text = json.dumps(
        {"format": FORMAT, "networks": sorted(networks), "recipe": recipe},
        sort_keys=True,
        allow_nan=False,
    )
    # One entry only: the library writes several in any order.
    return bytes(save(tensors, {"dollygrip": text}))


def from_bytes(data: bytes, name: str) -> tuple[dict[str, Network], dict[str, Any]]:
    """Read what :func:`to_bytes` wrote, from whoever it may be.

    Args:
        data: The file's bytes.
        name: The file, for messages.

    Returns:
        The networks by name, and the recipe.

    Raises:
        ValueError: The file is too large, damaged, or holds something else.
    """
    from safetensors import SafetensorError, deserialize

    tensors_of: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = deserialize
    if len(data) > MOST_BYTES:
        raise ValueError(f"{name} holds no networks: it is larger than {MOST_BYTES} bytes")
    try:
        tensors = {key: _array(key, tensor) for key, tensor in tensors_of(data)}
        described = _described(data)
        networks = {key: _network(key, tensors) for key in described["networks"]}
        if tensors:
            raise ValueError(f"nothing is known of {min(tensors)!r}")
        return networks, described["recipe"]
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} holds no networks: {error}") from error


def _parts(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    return {
        "mean": network.mean,
        "scale": network.scale,
        "shift": network.shift,
        **{f"weight{i}": weight for i, weight in enumerate(network.weights)},
        **{f"bias{i}": bias for i, bias in enumerate(network.biases)},
    }


def _network(name: str, tensors: dict[str, npt.NDArray[np.float32]]) -> Network:
    """One network, taken out of ``tensors``."""
    layers = sum(key.startswith(f"{name}.weight") for key in tensors)
    try:
        return Network(
            mean=tensors.pop(f"{name}.mean"),
            scale=tensors.pop(f"{name}.scale"),
            shift=tensors.pop(f"{name}.shift"),
            weights=tuple(tensors.pop(f"{name}.weight{i}") for i in range(layers)),
            biases=tuple(tensors.pop(f"{name}.bias{i}") for i in range(layers)),
        )
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from error
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _array(key: str, tensor: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    if tensor["dtype"] != "F32":
        raise ValueError(f"{key} is {tensor['dtype']}, expected F32")
    return np.frombuffer(tensor["data"], "<f4").reshape(tensor["shape"])


def _described(data: bytes) -> dict[str, Any]:
    """What stands in the header beside the tensors, which the library does not hand out."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    described = json.loads(header.get("__metadata__", {}).get("dollygrip", "null"))
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise ValueError(f"it does not say that it is {FORMAT!r}")
    names, recipe = described.get("networks"), described.get("recipe")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("it does not list its networks")
    if not isinstance(recipe, dict):
        raise ValueError("it has no recipe")
    return described


def _checked(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Any:
    array = read_only(name, values, shape, np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has a number that is not finite")
    return array
