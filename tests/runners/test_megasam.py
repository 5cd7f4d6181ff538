"""MegaSaM's checkout, driven; what runs are stand-ins with the same command lines and files."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.estimators.megasam import MegasamEstimator, MegasamSettings
from dollygrip.runners.pipeline import ClipResult, label_clip_file
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene

STAND_IN = Path(__file__).parent / "stand_ins" / "megasam"
SECONDS, RATE, SIZE = 1.5, 12.0, (256, 144)
# Of the camera: horizontal, where the stand-in of UniDepth says 75 degrees.
FIELD_OF_VIEW = 58.0
# MegaSaM crops its pictures a little.
CROPPED = 0.8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that pans left and travels ahead; its path lies beside the clip."""
    file = tmp_path_factory.mktemp("clips") / "clip.mp4"
    moves = (Move("pan_left", 12.0), Move("dolly_in", 0.35))
    path = camera_path(moves, duration=SECONDS, rate=RATE, size=SIZE)
    write_video(file, render(path, scene("street", seed=3), Look(noise=1.5)), path.times)
    poses = np.tile(np.eye(4), (len(path), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = path.rotations, path.centers
    np.savez(file.with_suffix(".npz"), world_from_camera=poses, focals=path.focals / SIZE[0])
    return file


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder laid out like mega-sam/mega-sam, with weights."""
    root = tmp_path / "mega-sam; touch pwned"
    shutil.copytree(STAND_IN, root, ignore=shutil.ignore_patterns("__pycache__"))
    scripts = root / "camera_tracking_scripts"
    # Under its own name it would be taken for a test of this project.
    (scripts / "tracking.py").rename(scripts / "test_demo.py")
    for path, weights in (
        ("checkpoints/megasam_final.pth", b"tracking weights"),
        ("Depth-Anything/checkpoints/depth_anything_vitl14.pth", b"depth weights"),
        ("cvd_opt/raft-things.pth", b"flow weights"),
    ):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(weights)
    return root


@pytest.fixture
def machine(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that seems to have a GPU and MegaSaM's packages; its folder of programs."""
    programs, packages = tmp_path / "bin", tmp_path / "site"
    programs.mkdir()
    nvidia_smi = programs / "nvidia-smi"
    nvidia_smi.write_text(f"#!{sys.executable}\nprint('Stand-in GPU')\n")
    nvidia_smi.chmod(0o755)
    for name in ("lietorch", "droid_backends"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text("")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    monkeypatch.setenv("STAND_IN_PATH", str(clip.with_suffix(".npz")))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("MEGASAM_ROOT", "MEGASAM_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    return programs


@pytest.fixture
def label(clip: Path, machine: Path) -> Callable[..., ClipResult]:
    def labelled(**settings: Any) -> ClipResult:
        estimator = MegasamEstimator(MegasamSettings(**settings))
        return label_clip_file(clip, estimator, ThresholdClassifier())

    return labelled


def field_of_view(result: ClipResult) -> float:
    return result.shots[0].hypotheses[0].trajectory.field_of_view_deg[0]


def test_all_steps_lead_to_labels(label, checkout):
    result = label(checkout=str(checkout))
    assert result.record.failure is None, result.record.failure
    assert set(result.record.labels) == {"pan_left", "dolly_in"}
    assert result.record.shots[0].doubts == ()
    assert field_of_view(result) == pytest.approx(FIELD_OF_VIEW, abs=CROPPED)
    diagnostics = result.record.shots[0].diagnostics
    assert diagnostics["poses"] == diagnostics["pictures"] == round(SECONDS * RATE)


@pytest.mark.slow
def test_the_checkout_is_only_read(label, checkout, tmp_path):
    before = sorted(checkout.rglob("*"))
    label(checkout=str(checkout), work=str(tmp_path / "kept"))
    after = [path for path in sorted(checkout.rglob("*")) if "__pycache__" not in path.parts]
    assert after == before
    (work,) = (tmp_path / "kept").iterdir()
    assert (work / "outputs" / "shot_droid.npz").is_file()
    assert not list(tmp_path.rglob("pwned"))


def test_the_focal_length_can_be_kept(label, checkout, tmp_path):
    result = label(checkout=str(checkout), optimize_focal=False, work=str(tmp_path / "kept"))
    assert result.record.failure is None, result.record.failure
    assert field_of_view(result) == pytest.approx(75.0, abs=CROPPED)
    (work,) = (tmp_path / "kept").iterdir()
    assert "_opt_intr  False" in (work / "log.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("optimize_focal", [True, False])
def test_copies_that_know_opt_focal_are_told_about_it(optimize_focal, label, checkout):
    script = checkout / "camera_tracking_scripts" / "test_demo.py"
    text = script.read_text()
    text = text.replace("# ARGUMENTS", 'parser.add_argument("--opt_focal", action="store_true")')
    script.write_text(text.replace("asked = True", "asked = args.opt_focal"))
    result = label(checkout=str(checkout), optimize_focal=optimize_focal)
    assert result.record.failure is None, result.record.failure
    expected = FIELD_OF_VIEW if optimize_focal else 75.0
    assert field_of_view(result) == pytest.approx(expected, abs=CROPPED)


@pytest.mark.slow
def test_a_comment_on_opt_focal_is_no_argument(label, checkout):
    script = checkout / "camera_tracking_scripts" / "test_demo.py"
    note = '# parser.add_argument("--opt_focal", action="")'
    script.write_text(script.read_text().replace("# ARGUMENTS", note))
    assert label(checkout=str(checkout)).record.failure is None


@pytest.mark.slow
def test_video_depth_comes_with_the_same_path(label, checkout, tmp_path):
    result = label(checkout=str(checkout), video_depth=True, work=str(tmp_path / "kept"))
    assert result.record.failure is None, result.record.failure
    assert set(result.record.labels) == {"pan_left", "dolly_in"}
    (work,) = (tmp_path / "kept").iterdir()
    assert (work / "outputs_cvd" / "shot_sgd_cvd_hr.npz").is_file()


@pytest.mark.slow
def test_settings_and_environment_say_where_it_is(label, checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("MEGASAM_ROOT", str(checkout))
    monkeypatch.setenv("MEGASAM_PYTHON", sys.executable)
    elsewhere = tmp_path / "weights"
    elsewhere.mkdir()
    for name, path in (
        ("weights", "checkpoints/megasam_final.pth"),
        ("depth_weights", "Depth-Anything/checkpoints/depth_anything_vitl14.pth"),
    ):
        shutil.move(checkout / path, elsewhere / name)
    weights = {name: str(elsewhere / name) for name in ("weights", "depth_weights")}
    assert label(**weights).record.failure is None


def test_too_short_a_shot_is_told_before_anything_runs(clip, machine, checkout, tmp_path):
    short = tmp_path / "short.mp4"
    write_video(
        short, [np.full((64, 64, 3), 40 * k, np.uint8) for k in range(6)], np.arange(6) / 12
    )
    estimator = MegasamEstimator(MegasamSettings(checkout=str(checkout)))
    failure = label_clip_file(short, estimator, ThresholdClassifier()).record.failure
    assert failure is not None and failure.reason == Reason.TOO_SHORT
    assert "MegaSaM takes 8" in failure.message


def test_one_message_says_all_that_is_missing(label, checkout, machine, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    (machine / "nvidia-smi").unlink()
    (checkout / "checkpoints" / "megasam_final.pth").unlink()
    (checkout / "UniDepth" / "scripts" / "demo_mega-sam.py").unlink()
    failure = label(checkout=str(checkout)).record.failure
    assert failure.reason == Reason.ESTIMATOR_MISSING
    for words in (
        "megasam_final.pth",
        "demo_mega-sam.py",
        "lietorch, droid_backends",
        "a CUDA GPU",
        "https://github.com/mega-sam/mega-sam",
        "MEGASAM_PYTHON",
    ):
        assert words in failure.message
    assert "run_videos.py" not in failure.message
    assert "\n" not in failure.message


def test_a_missing_checkout_is_told(label, tmp_path):
    unset = label().record.failure
    assert unset.reason == Reason.ESTIMATOR_MISSING
    assert "MEGASAM_ROOT is not set" in unset.message
    absent = label(checkout=str(tmp_path / "none")).record.failure
    assert "no folder" in absent.message
    lone = label(checkout=str(tmp_path), python=str(tmp_path / "nopython")).record.failure
    assert "nopython" in lone.message


@pytest.mark.slow
def test_a_step_that_crashes_is_named(label, checkout, monkeypatch):
    monkeypatch.setenv("STAND_IN_DO", "crash")
    failure = label(checkout=str(checkout)).record.failure
    assert failure.reason == Reason.ESTIMATOR_CRASHED
    assert "tracking the camera" in failure.message
    assert "CUDA out of memory" in failure.message


@pytest.mark.slow
def test_the_limit_is_for_all_steps_together(label, checkout):
    script = checkout / "Depth-Anything" / "run_videos.py"
    script.write_text("import time; time.sleep(0.8)")
    script = checkout / "UniDepth" / "scripts" / "demo_mega-sam.py"
    script.write_text("import time; time.sleep(30)")
    result = label(checkout=str(checkout), seconds=2.0).record
    assert result.failure.reason == Reason.TIMED_OUT
    assert "finding metric depth" in result.failure.message
    assert result.shots[0].diagnostics["program_seconds"] < 4.0


@pytest.mark.parametrize(
    "settings", [{"rate": 0.0}, {"long_side": 10}, {"most": 7}, {"seconds": 0.0}, {"memory_mb": 0}]
)
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValueError):
        MegasamSettings(**settings)
