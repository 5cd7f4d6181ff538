"""Where clips are labelled: in processes of this machine, or of a Ray cluster."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from dollygrip.runners.engine import start_workers

if TYPE_CHECKING:
    from dollygrip.runners.cluster import RayWorkers
    from dollygrip.runners.engine import Workers

    Pool = Workers | RayWorkers

EngineName = Literal["local", "ray"]


def start_engine(
    inputs: Iterable[str | os.PathLike[str]],
    estimator: str,
    classifier: str,
    jobs: int | None = None,
    *,
    engine: EngineName = "local",
    address: str | None = None,
) -> "Pool":
    """Start the processes that will label some inputs; here no more than there are clips.

    Before the inputs are looked at and anything else is loaded: it takes workers as long to load
    as it takes this process.

    Args:
        inputs: What is to be labelled.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        jobs: Processes; one a processor when not given.
        engine: Where they run.
        address: Of the Ray cluster; one is started here when not given.

    Returns:
        Workers, to be used as a context manager: leaving it ends them.

    Raises:
        EngineError: They do not start.
    """
    if engine == "ray":
        from dollygrip.runners.cluster import RayWorkers

        return RayWorkers(jobs, estimator, classifier, address)
    return start_workers(inputs, estimator, classifier, jobs)
