"""A camera in a USD file: ``.usda``, ``.usdc`` or ``.usd``.

A pose for each time at which the camera, a group that it is in, or its lens changes. Axes as in
OpenGL, row vectors; translations become metres where the stage tells its unit; the world is turned
so that up is -y, as this project's cameras see it. The aperture gives the field of view, in
whatever shape it has.

Files are opened by themselves: references, payloads, sublayers and value clips are taken out first,
and nothing else is read; in a process of its own, since damaged files crash the USD library.
https://openusd.org/release/api/class_usd_geom_camera.html
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv
from dollygrip.runners.children import Limits, run
from dollygrip.runners.formats.arrays import read_npz, world_from_camera
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_pixels
from dollygrip.runners.formats.path import CameraPath, PoseError, naming

_SUFFIXES = (".usda", ".usdc", ".usd")
_LIMITS = Limits(seconds=60, memory_mb=2048)
# Millimetres; that of a full-frame still camera.
_APERTURE = 36.0
_CAMERA = "/World/Camera"

# World axes with y down and z ahead, of those with y up or z up.
_FROM_Y_UP = np.diag([1.0, -1.0, -1.0, 1.0])
_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


def _matches(path: Path, head: bytes) -> bool:
    return head.startswith((b"#usda ", b"PXR-USDC"))


def _read(path: Path, convention: Convention) -> CameraPath:
    _need_usd(path)
    with naming(path), tempfile.TemporaryDirectory() as scratch:
        if not path.is_file():
            raise PoseError(f"{path}: no such file, or no regular one")
        result = Path(scratch) / "camera.npz"
        child = [sys.executable, "-P", "-m", "dollygrip.runners.formats.usd_child"]
        ended = run(
            [*child, str(path.absolute()), str(result)], folder=Path(scratch), limits=_LIMITS
        )
        if ended.how != "ended":
            raise PoseError(
                f"{path}: the USD library needs more than {_LIMITS.seconds} s or "
                f"{_LIMITS.memory_mb} MB for it"
            )
        if ended.code == 1:
            raise PoseError(f"{path}: {(ended.log.strip().splitlines() or ['damaged'])[-1][:300]}")
        if ended.code:
            raise PoseError(f"{path}: damaged; it crashes the USD library")
        arrays = read_npz(result, ("times", "matrices", "lenses", "units"))
        metres, told, z_up = arrays["units"].tolist()
        poses = world_from_camera(arrays["matrices"], convention)
        poses = (_FROM_Z_UP if z_up else _FROM_Y_UP) @ poses
        # A stage that does not tell its unit is rarely in centimetres, as it should be then.
        poses[:, :3, 3] *= metres if told else 1.0
        return CameraPath(
            poses,
            times=arrays["times"],
            intrinsics=_shares(arrays["lenses"]),
            metric=bool(told),
        )


def _shares(lenses: FloatArray) -> FloatArray:
    focal, across, up, right, above = lenses.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([focal / across, focal / up, 0.5 - right / across, 0.5 + above / up])


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    _need_usd(path)
    with naming(path):
        suffix = path.suffix.lower()
        if suffix not in _SUFFIXES:
            raise PoseError(f"{path}: a USD file is called {', '.join(_SUFFIXES)}")
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch) / f"camera{suffix}"
            _export(made, cameras, convention)
            write_atomically(path, made.read_bytes())


def _export(path: Path, cameras: CameraPath, convention: Convention) -> None:
    from pxr import Gf, Usd, UsdGeom

    there = cameras.there
    matrices = from_opencv(_FROM_Y_UP @ cameras.world_from_camera[there], convention)
    pixels, (width, height) = to_pixels(cameras)
    fx, fy, cx, cy = (pixels[there] / [width, height, width, height]).T
    times = cameras.clock()[there]
    # Whole codes for whole frames: the rate at which a pose comes on average.
    rate = 24.0
    if len(times) > 1:
        with np.errstate(over="ignore"):
            rate = float(np.clip((len(times) - 1) / np.ptp(times), 1.0, 10_000.0).round())
    stage = Usd.Stage.CreateInMemory()
    stage.SetTimeCodesPerSecond(rate)
    stage.SetFramesPerSecond(rate)
    codes = (times * rate).tolist()
    stage.SetStartTimeCode(codes[0])
    stage.SetEndTimeCode(codes[-1])
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    if cameras.metric:
        UsdGeom.SetStageMetersPerUnit(stage, UsdGeom.LinearUnits.meters)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    camera = UsdGeom.Camera.Define(stage, _CAMERA)
    place = camera.AddTransformOp()
    for code, matrix in zip(codes, matrices.tolist(), strict=True):
        place.Set(Gf.Matrix4d(matrix), code)
    up = _APERTURE * fx / fy
    for attribute, values in (
        (camera.CreateFocalLengthAttr(), _APERTURE * fx),
        (camera.CreateHorizontalApertureAttr(), np.full_like(fx, _APERTURE)),
        (camera.CreateVerticalApertureAttr(), up),
        (camera.CreateHorizontalApertureOffsetAttr(), (0.5 - cx) * _APERTURE),
        (camera.CreateVerticalApertureOffsetAttr(), (cy - 0.5) * up),
    ):
        if np.ptp(values) == 0.0:
            attribute.Set(float(values[0]))
        else:
            for code, value in zip(codes, values.tolist(), strict=True):
                attribute.Set(value, code)
    stage.GetRootLayer().Export(str(path))


def _need_usd(path: Path) -> None:
    if importlib.util.find_spec("pxr") is None:
        raise PoseError(f"{path}: USD files need usd-core; install dollygrip[usd]")


FORMAT = PoseFormat(
    name="usd",
    title="camera in a USD file",
    convention=Convention("world_from_camera", "opengl", transposed=True),
    unit="metres",
    kept=frozenset({"times", "intrinsics", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
