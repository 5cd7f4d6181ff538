"""USD cameras against Pixar's own library, and files that want more than to be read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom

from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.runners.children import Limits
from dollygrip.runners.formats import usd, usd_child
from dollygrip.runners.formats.path import CameraPath, PoseError
from dollygrip.runners.formats.usd import FORMAT

N = 5


def read(path: Path) -> CameraPath:
    return FORMAT.read(path, FORMAT.convention)


def write(path: Path, cameras: CameraPath) -> None:
    FORMAT.write(path, cameras, FORMAT.convention)


def rising(**changes: object) -> CameraPath:
    """A camera that pans right, rises and zooms in."""
    poses = np.tile(np.eye(4), (N, 1, 1))
    angles = np.column_stack([4.0 * np.arange(N), np.zeros(N), np.zeros(N)])
    poses[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
    poses[:, 1, 3] = -0.2 * np.arange(N)
    focals = 1.0 + 0.1 * np.arange(N)
    intrinsics = np.column_stack([focals, focals * 16 / 9, np.full((N, 2), 0.5)])
    fields = {"times": np.arange(N) / 25, "intrinsics": intrinsics, "size": (1280, 720)}
    return CameraPath(poses, **{**fields, **changes})


@pytest.mark.parametrize("suffix", ["usda", "usdc", "usd"])
def test_pixars_library_reads_what_is_written(suffix, tmp_path):
    path = tmp_path / f"shot.{suffix}"
    write(path, rising(metric=True))
    stage = Usd.Stage.Open(str(path))
    (camera,) = (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera))
    view = UsdGeom.Camera(camera)
    assert stage.GetTimeCodesPerSecond() == 25
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, N - 1)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    for k in range(N):
        seen = view.GetCamera(k)
        # A frustum's view is along -z with y up: it rises, and turns to the right of the picture.
        frustum = seen.frustum
        assert frustum.GetPosition() == pytest.approx((0, 0.2 * k, 0))
        ahead = np.radians(4.0 * k)
        np.testing.assert_allclose(
            frustum.ComputeViewDirection(), (np.sin(ahead), 0, -np.cos(ahead)), atol=1e-12
        )
        np.testing.assert_allclose(frustum.ComputeUpVector(), (0, 1, 0), atol=1e-12)
        assert seen.focalLength / seen.horizontalAperture == pytest.approx(1.0 + 0.1 * k)
        assert seen.aspectRatio == pytest.approx(16 / 9)


def stage_with(path: Path, **cameras: int) -> Usd.Stage:
    """A stage with cameras that have a position at so many times."""
    stage = Usd.Stage.CreateNew(str(path))
    for name, count in cameras.items():
        place = UsdGeom.Camera.Define(stage, f"/{name}").AddTranslateOp()
        for k in range(count):
            place.Set(Gf.Vec3d(k, 0, 0), k)
    return stage


def test_the_camera_that_moves_is_taken(tmp_path):
    stage_with(tmp_path / "a.usda", persp=0, top=1, shot=3).Save()
    assert len(read(tmp_path / "a.usda")) == 3


@pytest.mark.parametrize("cameras", [{"left": 2, "right": 2}, {"front": 0, "top": 0}])
def test_several_cameras_are_not_guessed_between(cameras, tmp_path):
    stage_with(tmp_path / "a.usda", **cameras).Save()
    names = ", ".join(f"/{name}" for name in cameras)
    with pytest.raises(PoseError, match=rf"a\.usda: holds 2 cameras, \d of which move: {names}"):
        read(tmp_path / "a.usda")


def test_groups_scales_and_units_count(tmp_path):
    stage = Usd.Stage.CreateNew(str(tmp_path / "a.usda"))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    group = UsdGeom.Xform.Define(stage, "/group")
    group.AddScaleOp().Set(Gf.Vec3f(10, 10, 10))
    place = UsdGeom.Camera.Define(stage, "/group/shot").AddTranslateOp()
    for k in range(3):
        place.Set(Gf.Vec3d(0, 0, 7.0 * k), 24.0 * k)
    stage.Save()
    cameras = read(tmp_path / "a.usda")
    assert cameras.metric
    assert cameras.times is not None
    np.testing.assert_allclose(cameras.times, [0, 1, 2])
    # 7 units in a group ten times as large, in centimetres; z is up, and up is -y.
    np.testing.assert_allclose(
        cameras.world_from_camera[:, :3, 3], [[0, -0.7 * k, 0] for k in range(3)], atol=1e-9
    )


def test_a_lens_that_is_shifted_has_its_principal_point_elsewhere(tmp_path):
    stage = stage_with(tmp_path / "a.usda", shot=2)
    camera = UsdGeom.Camera.Get(stage, "/shot")
    camera.CreateHorizontalApertureOffsetAttr().Set(2.0)
    camera.CreateVerticalApertureOffsetAttr().Set(1.0)
    stage.Save()
    intrinsics = read(tmp_path / "a.usda").intrinsics
    # Of a point straight ahead in the picture, by the library's own projection; y up, -1 to 1.
    frustum = camera.GetCamera(0).frustum
    ahead = frustum.ComputeProjectionMatrix().Transform(Gf.Vec3d(0, 0, -10))
    assert intrinsics is not None
    np.testing.assert_allclose(intrinsics[0, 2:], [(1 + ahead[0]) / 2, (1 - ahead[1]) / 2])


HOSTILE = """#usda 1.0
(
    subLayers = [@{inner}@, @http://localhost:9/x.usda@]
)
def Xform "A" (
    prepend references = @{inner}@</shot>
    prepend payload = @{inner}@</shot>
    clips = {{
        dictionary default = {{
            asset[] assetPaths = [@{inner}@]
            string primPath = "/shot"
        }}
    }}
    variants = {{
        string v = "x"
    }}
    prepend variantSets = "v"
)
{{
    variantSet "v" = {{
        "x" (
            prepend references = @{inner}@</shot>
        ) {{
            def "B" (
                prepend references = @{inner}@</shot>
            )
            {{
            }}
        }}
    }}
}}
"""


def test_other_files_are_not_opened(tmp_path):
    stage_with(tmp_path / "inner.usda", shot=3).Save()
    outer = tmp_path / "outer.usda"
    outer.write_text(HOSTILE.format(inner=tmp_path / "inner.usda"))
    # The library itself finds cameras there.
    stage = Usd.Stage.Open(str(outer))
    assert any(prim.IsA(UsdGeom.Camera) for prim in stage.Traverse())
    with pytest.raises(PoseError, match=r"outer\.usda: holds no camera"):
        read(outer)
    layer = Sdf.Layer.OpenAsAnonymous(str(outer))
    usd_child._alone(layer)
    assert not layer.GetCompositionAssetDependencies()
    assert "inner" not in layer.ExportToString()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#usda 1.0\n", "holds no camera"),
        ("#usda 1.0\ndef Camera {\n", "no USD, in line 2"),
        ("#usda 1.0\ndef X {" * 20_000, "damaged|crashes|no USD"),
        ('#usda 1.0\n(\n    timeCodesPerSecond = 0\n)\ndef Camera "C" {\n}\n', "time codes"),
        (
            '#usda 1.0\ndef Camera "C" {\n    float horizontalAperture = 0\n}\n',
            "intrinsics that are not finite",
        ),
        (
            '#usda 1.0\ndef Camera "C" {\n    float focalLength = -5\n}\n',
            "focal length that is not positive",
        ),
        ("PXR-USDC" + "\0" * 80, "damaged"),
        ("", "damaged"),
    ],
)
def test_what_is_wrong_is_said(text, message, tmp_path):
    path = tmp_path / ("a.usdc" if text.startswith("PXR") else "a.usda")
    path.write_text(text)
    with pytest.raises(PoseError, match=rf"{path}: .*({message})"):
        read(path)


def test_a_file_that_needs_too_much_is_an_error(tmp_path, monkeypatch):
    stage_with(tmp_path / "a.usda", shot=3).Save()
    monkeypatch.setattr(usd, "_LIMITS", Limits(seconds=0.01, memory_mb=2048))
    with pytest.raises(PoseError, match="needs more than"):
        read(tmp_path / "a.usda")


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    for work in (read, lambda path: write(path, rising())):
        with pytest.raises(PoseError, match=r"dollygrip\[usd\]"):
            work(tmp_path / "a.usda")


def test_other_suffixes_are_not_written(tmp_path):
    with pytest.raises(PoseError, match=r"\.usda, \.usdc, \.usd"):
        write(tmp_path / "a.txt", rising())
