"""For rules that know of one camera path only: the likeliest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.trajectory import Hypothesis


def likeliest(hypotheses: Sequence[Hypothesis]) -> Hypothesis | Failure:
    """The likeliest explanation that has a path, or why there is none.

    Args:
        hypotheses: All explanations of a shot, likeliest first.

    Returns:
        The explanation with its share of the probability of all that have a path: as far as a
        rule that looks at nothing else can be trusted.
    """
    usable = [h for h in hypotheses if h.trajectory.valid.sum() >= 2 and h.probability > 0]
    if not usable:
        return Failure(Reason.FEW_FRAMES_REGISTERED, "Fewer than two frames have a camera pose.")
    first = usable[0]
    path = first.trajectory
    with np.errstate(over="ignore"):
        extent = np.ptp(path.centers[path.valid], axis=0)
    if not np.isfinite(extent).all():
        return Failure(Reason.DID_NOT_CONVERGE, "The camera path has values that are not finite.")
    return replace(first, probability=first.probability / sum(h.probability for h in usable))
