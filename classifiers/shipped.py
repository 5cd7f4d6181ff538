"""The networks that come with the package."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from dollygrip.classifiers.network import Network, from_bytes

WEIGHTS = "learned.safetensors"


@cache
def shipped() -> tuple[Mapping[str, Network], Mapping[str, Any]]:
    """The networks by name, and how they were made.

    Returns:
        ``labels``, ``moments``, ``trust`` and ``trust_threshold``; the recipe.
    """
    networks, recipe = from_bytes(shipped_bytes(), WEIGHTS)
    return MappingProxyType(networks), MappingProxyType(recipe)


@cache
def shipped_bytes() -> bytes:
    """The file that they come in."""
    return (files("dollygrip.classifiers") / "data" / WEIGHTS).read_bytes()
