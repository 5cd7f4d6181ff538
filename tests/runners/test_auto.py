"""Two estimators: who is asked, who is believed, and what the record says of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.geometry.synthetic import Motion, Move, camera_path
from dollygrip.runners.auto import AutoEstimator, AutoSettings
from dollygrip.runners.pipeline import label_clip_file
from dollygrip.runners.registry import choose
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene
from dollygrip.runners.video import Frame

CLASSIFIER = choose("classifier", "threshold").make()


def clip(folder: Path, *moves: Motion) -> Path:
    path = camera_path(moves, duration=1.5, rate=12.0, size=(480, 270))
    write_video(
        folder / "clip.mp4", render(path, scene("room", seed=2), Look(noise=1.0)), path.times
    )
    return folder / "clip.mp4"


def test_where_flow_is_sure_nobody_else_is_asked(moody: str, tmp_path: Path) -> None:
    auto = AutoEstimator(AutoSettings(ask=(moody,), sure=0.6))
    result = label_clip_file(clip(tmp_path, Move("tilt_up", 12.0)), auto, CLASSIFIER)
    assert result.record.labels == ("tilt_up",)
    decided = result.record.whole.diagnostics["decided"]
    assert decided == {"by": "flow", "because": "it is sure"}


def test_a_second_estimator_that_explains_less_is_not_believed(moody: str, tmp_path: Path) -> None:
    # It says that every clip pans right by 30 degrees.
    auto = AutoEstimator(AutoSettings(ask=(moody,), sure=1.0))
    result = label_clip_file(clip(tmp_path, Move("truck_right", 0.4)), auto, CLASSIFIER)
    assert result.record.labels == ("truck_right",)
    decided = result.record.whole.diagnostics["decided"]
    assert decided["by"] == "flow"
    assert "moody" in decided["because"]


def panned(duration: float, rate: float) -> list[Frame]:
    """The same pan of 30 degrees that the estimator ``moody`` always sees."""
    path = camera_path([Move("pan_right", 30.0)], duration=duration, rate=rate, size=(240, 135))
    pictures = render(path, scene("room", seed=2), Look())
    return [
        Frame(i, float(time), np.asarray(picture[..., 1]))
        for i, (time, picture) in enumerate(zip(path.times, pictures, strict=True))
    ]


def test_readings_that_explain_what_is_seen_are_weighed_together(moody: str) -> None:
    auto = AutoEstimator(AutoSettings(ask=(moody,), sure=1.0))
    estimate = auto.estimate(panned(1.5, 12.0))
    assert estimate.estimator == "auto"
    assert estimate.diagnostics["decided"]["by"] == "flow and moody"
    shares = [h.probability for h in estimate.hypotheses]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)
    # The other one has a single reading, flow has several.
    assert len(estimate.hypotheses) > 2


def test_without_anybody_to_ask_flow_decides_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEGASAM_ROOT", raising=False)
    auto = AutoEstimator(AutoSettings(ask=("megasam",), sure=1.0))
    result = label_clip_file(clip(tmp_path, Move("pan_left", 15.0)), auto, CLASSIFIER)
    assert result.record.labels == ("pan_left",)
    decided = result.record.whole.diagnostics["decided"]
    assert decided["by"] == "flow"
    assert "MEGASAM_ROOT" in decided["because"]


def test_blank_pictures_stay_a_failure_whoever_is_asked(moody: str) -> None:
    blank = [Frame(i, i / 8.0, np.full((90, 160), 170, np.uint8)) for i in range(12)]
    estimate = AutoEstimator(AutoSettings(ask=(moody,))).estimate(blank)
    assert estimate.failure is not None
    assert estimate.failure.reason is Reason.NO_TEXTURE
    assert estimate.diagnostics["decided"]["by"] == "flow"


def test_only_so_many_pictures_of_a_long_shot_are_kept_and_evenly(moody: str) -> None:
    auto = AutoEstimator(AutoSettings(ask=(moody,), sure=1.0, most=20))
    estimate = auto.estimate(panned(8.0, 8.0))
    paths = [h.trajectory for h in estimate.hypotheses if h.trajectory.size == (64, 48)]
    assert len(paths) == 1
    assert 10 <= len(paths[0]) <= 20
    np.testing.assert_allclose(np.diff(paths[0].times, n=2), 0.0, atol=1e-9)
    assert paths[0].times[-1] > 6.5


def test_a_second_estimator_that_crashes_leaves_the_first_answer(moody: str) -> None:
    tiles = np.random.default_rng(0).integers(100, 140, (14, 24), dtype=np.uint8)
    wall = np.kron(tiles, np.ones((10, 10), np.uint8))
    pictures = [Frame(i, i / 8.0, np.roll(wall, 4 * i, axis=1)) for i in range(12)]
    estimate = AutoEstimator(AutoSettings(ask=(moody,), sure=1.0)).estimate(pictures)
    assert estimate.failure is None
    assert estimate.diagnostics["decided"]["by"] == "flow"
    assert "KeyError" in estimate.diagnostics["decided"]["because"]


@pytest.mark.parametrize("settings", [{"ask": ()}, {"ask": ("auto",)}, {"most": 2}, {"least": 0.0}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"ask|most|least"):
        AutoSettings(**settings)
