"""Says how the camera moved in a video clip, in the words of a cinematographer."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dollygrip.api import (
        classify_run,
        label_clip,
        label_clips,
        label_folder,
        label_trajectory,
        load_results,
        read_poses,
    )
    from dollygrip.classifiers.records import ClipLabels
    from dollygrip.geometry.trajectory import Trajectory
    from dollygrip.runners.evaluation import evaluate_run

__version__ = "0.1.0"

__all__ = [
    "ClipLabels",
    "Trajectory",
    "classify_run",
    "evaluate_run",
    "label_clip",
    "label_clips",
    "label_folder",
    "label_trajectory",
    "load_results",
    "read_poses",
]

_HOMES = {
    "ClipLabels": "dollygrip.classifiers.records",
    "Trajectory": "dollygrip.geometry.trajectory",
    "evaluate_run": "dollygrip.runners.evaluation",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the command line must answer ``--help`` at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "dollygrip.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
