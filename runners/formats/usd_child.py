"""Reads the camera of one USD file in a process of its own: damaged ones crash the USD library.

``python -m dollygrip.runners.formats.usd_child FILE TARGET`` writes an ``.npz`` file; what is wrong
with FILE is the last line printed.
"""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

# More than an hour at 120 poses a second.
_MOST_SAMPLES = 500_000


def main(source: str, target: str) -> int:
    """Write the camera's ``times``, ``matrices``, ``lenses`` and ``units`` to ``target``.

    ``times`` (N,) in seconds; ``matrices`` (N, 4, 4) for row vectors, world_from_camera, unit of
    the stage; ``lenses`` (N, 5) focal length, aperture across and up, its offsets; ``units`` metres
    in one unit, whether the file says so, and whether z is up.
    """
    from pxr import Sdf, Tf, Usd, UsdGeom

    try:
        layer = Sdf.Layer.OpenAsAnonymous(source)
        _alone(layer)
        stage = Usd.Stage.Open(layer, load=Usd.Stage.LoadNone)
        camera = _only_camera(stage)
        view = UsdGeom.Camera(camera)
        lens = [
            view.GetFocalLengthAttr(),
            view.GetHorizontalApertureAttr(),
            view.GetVerticalApertureAttr(),
            view.GetHorizontalApertureOffsetAttr(),
            view.GetVerticalApertureOffsetAttr(),
        ]
        codes = _codes(camera, lens)
        matrices, lenses = [], []
        for code in codes or [Usd.TimeCode.Default()]:
            matrix = UsdGeom.Xformable(camera).ComputeLocalToWorldTransform(code)
            # A camera has no size, but the groups that it is in may be scaled.
            matrices.append(np.array(matrix.RemoveScaleShear()))
            lenses.append([float(attribute.Get(code)) for attribute in lens])
        rate = stage.GetTimeCodesPerSecond()
        if not rate > 0.0:
            raise ValueError(f"has {rate} time codes a second")
        metres = UsdGeom.GetStageMetersPerUnit(stage)
        told = UsdGeom.StageHasAuthoredMetersPerUnit(stage)
        z_up = UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z
        with Path(target).open("wb") as file:
            np.savez(
                file,
                times=np.array(codes or [0.0]) / rate,
                matrices=np.array(matrices, np.float64),
                lenses=np.array(lenses, np.float64),
                units=np.array([metres, told, z_up], np.float64),
            )
    except (Tf.ErrorException, RuntimeError, ValueError, TypeError) as error:
        print(_said(error))
        return 1
    return 0


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())
    # The library's own errors name its sources first, then the file and the line.
    at = re.search(r":(\d+):\d+: ([^']*)'", words)
    if at:
        return f"no USD, in line {at[1]}: {at[2]}"
    return "no USD file, or a damaged one" if words.startswith("Error in") else words


def _alone(layer: Any) -> None:
    """Take out all that would open another file: references, payloads, layers, value clips."""
    from pxr import Sdf

    layer.subLayerPaths.clear()
    paths: list[Any] = []
    layer.Traverse(Sdf.Path.absoluteRootPath, paths.append)
    for path in paths:
        spec = layer.GetObjectAtPath(path)
        if isinstance(spec, Sdf.VariantSpec):
            spec = spec.primSpec
        if isinstance(spec, Sdf.PrimSpec) and path != Sdf.Path.absoluteRootPath:
            for key in ("references", "payload", "clips", "clipSets"):
                spec.ClearInfo(key)


def _only_camera(stage: Any) -> Any:
    """The camera that moves, where there are several."""
    from pxr import UsdGeom

    cameras = [prim for prim in stage.TraverseAll() if prim.IsA(UsdGeom.Camera)]
    if not cameras:
        raise ValueError("holds no camera")
    if len(cameras) > 1:
        moving = [camera for camera in cameras if len(_codes(camera, [])) > 1]
        if len(moving) != 1:
            names = ", ".join(str(camera.GetPath()) for camera in moving or cameras)
            raise ValueError(
                f"holds {len(cameras)} cameras, {len(moving)} of which move: {names}; leave one"
            )
        cameras = moving
    return cameras[0]


def _codes(camera: Any, attributes: list[Any]) -> list[float]:
    """The time codes at which anything about a camera is said."""
    from pxr import UsdGeom

    codes: set[float] = set()
    prim = camera
    while prim and not prim.IsPseudoRoot():
        if prim.IsA(UsdGeom.Xformable):
            codes.update(UsdGeom.Xformable(prim).GetTimeSamples())
        prim = prim.GetParent()
    for attribute in attributes:
        codes.update(attribute.GetTimeSamples())
    if len(codes) > _MOST_SAMPLES:
        raise ValueError(f"says {len(codes)} poses; {_MOST_SAMPLES} are the most")
    return sorted(codes)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
