"""What is to be labelled, and how: small, and fit for any process on any machine."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from dollygrip.runners.registry import Choice


@dataclass(frozen=True)
class Task:
    """One clip to label.

    Attributes:
        path: The file as it was given.
        clip_id: Its name in the run.
    """

    path: str
    clip_id: str


@dataclass(frozen=True)
class Recipe:
    """How every clip of a run is labelled.

    Attributes:
        estimator: Which, with its settings.
        classifier: Which, with its settings.
        timeout: Seconds that one clip may take; None for no limit.
        memory_mb: Mebibytes that a worker may hold, resident; None for no limit. Programs that it
            runs have limits of their own.
    """

    estimator: Choice
    classifier: Choice
    timeout: float | None = None
    memory_mb: int | None = None

    @property
    def batch(self) -> int:
        """How many clips a worker takes at once."""
        return int(self.estimator.settings.get("batch", 1))

    @property
    def hashes(self) -> tuple[str, str]:
        """What tells records of one recipe from those of another."""
        return self.estimator.hash, self.classifier.hash

    def provenance(self) -> dict[str, Any]:
        """What every record says of how it was made."""
        return {
            "dollygrip": version("dollygrip"),
            "estimator": {"name": self.estimator.name, "hash": self.estimator.hash},
            "classifier": {"name": self.classifier.name, "hash": self.classifier.hash},
        }
