"""Readings of one motion that look alike: where to start a search that must not settle for one.

Over a small field of view, and with little depth, a pan is nearly a truck, a zoom nearly a dolly,
and a scene nearly itself turned inside out.
"""

from dataclasses import replace

import numpy as np

from dollygrip.geometry.bundle import Solution
from dollygrip.geometry.rotations import exp, increments


def zoom_as_dolly(solution: Solution) -> Solution:
    """The path that keeps its turns but makes its zooms by travelling along the view."""
    steps = np.zeros((len(solution.zooms), 3))
    steps[1:, 2] = np.diff(solution.zooms)
    centers = np.cumsum(np.einsum("nij,nj->ni", solution.rotations, steps), axis=0)
    return replace(solution, centers=centers, zooms=np.zeros(len(steps)))


def zoom_against_dolly(solution: Solution) -> Solution:
    """The path of a dolly zoom: twice the zoom, half of it undone by travelling."""
    undone = zoom_as_dolly(replace(solution, zooms=-solution.zooms))
    return replace(undone, zooms=2.0 * solution.zooms)


def turns_as_travel(solution: Solution) -> Solution:
    """The path that makes pans by trucking, tilts by rising, zooms by dollying; only rolls stay.

    A pan by an angle shifts the picture by as much as a truck by that many scene depths.
    """
    turned = increments(solution.rotations)
    rolls = np.zeros((len(solution.zooms), 3))
    rolls[1:, 2] = np.cumsum(turned[:, 2])
    rotations = exp(rolls)
    steps = np.zeros((len(rolls), 3))
    steps[1:, 0], steps[1:, 1] = turned[:, 1], -turned[:, 0]
    steps[1:, 2] = np.diff(solution.zooms)
    centers = np.cumsum(np.einsum("nij,nj->ni", rotations, steps), axis=0)
    return replace(solution, rotations=rotations, centers=centers, zooms=np.zeros(len(rolls)))


def inside_out(solution: Solution) -> Solution:
    """Near and far exchanged, travel the other way, the difference made up by turning.

    A camera that trucks right sees almost what one sees that trucks left and pans right twice as
    much, in a scene turned inside out.
    """
    sideways = solution.centers * np.array([1.0, 1.0, 0.0])
    turns = np.stack([-sideways[:, 1], sideways[:, 0], np.zeros(len(sideways))], axis=1)
    return replace(
        solution,
        rotations=solution.rotations @ exp(2.0 * turns),
        centers=solution.centers - 2.0 * sideways,
        inverse_depth=np.clip(2.0 - solution.inverse_depth, 0.05, None),
    )
