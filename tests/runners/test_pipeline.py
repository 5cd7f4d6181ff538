"""One clip from file to record, with stand-in estimators and classifiers."""

import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.pipeline import label_clip_file, reclassify
from dollygrip.runners.video import Frame, FrameRequest

TEXTURE = np.random.default_rng(5).integers(0, 255, (48, 64, 3), dtype=np.uint8)


class Panning:
    """Says that every shot pans right; counts what it was given."""

    name = "panning"
    frame_request = FrameRequest()

    def __init__(self) -> None:
        self.times: list[list[float]] = []

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        times = np.array([frame.time for frame in frames])
        self.times.append(list(times))
        angles = np.zeros((len(times), 3))
        angles[:, 0] = 30.0 * np.linspace(0, 1, len(times))
        poses = np.tile(np.eye(4), (len(times), 1, 1))
        poses[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
        trajectory = Trajectory.from_poses(times, poses, size=(64, 48), scene_depth=1.0)
        return Estimate(
            (Hypothesis("rotation", 1.0, trajectory),),
            diagnostics={"cost": np.float32(0.5), "worst": float("nan")},
        )


class Crashing(Panning):
    """Reads one frame and crashes."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        next(iter(frames))
        raise self.error


class CrashingClassifier(ThresholdClassifier):
    def classify(self, *args: object, **kwargs: object) -> object:
        raise ZeroDivisionError("no shot")


@pytest.fixture
def clip(write_clip, tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", [TEXTURE] * 18)


@pytest.fixture
def cut_clip(write_clip, tmp_path: Path) -> Path:
    rng = np.random.default_rng(7)
    walls = rng.integers(0, 128, (2, 15, 20), dtype=np.uint8)
    one, other = (np.kron(wall, np.ones((8, 8), np.uint8)) for wall in walls)
    return write_clip(tmp_path / "cut.mp4", [one] * 18 + [other + 120] * 18)


def test_a_clip_gets_labels_and_says_where_they_come_from(clip):
    estimator = Panning()
    result = label_clip_file(
        clip, estimator, ThresholdClassifier(), clip_id="id", provenance={"dollygrip": "1"}
    )
    record = result.record
    assert record.labels == ("pan_right",)
    assert (record.clip_id, record.path) == ("id", str(clip))
    about = record.provenance
    assert about["dollygrip"] == "1"
    assert about["content"]["size"] == clip.stat().st_size
    assert about["video"]["size"] == [64, 48]
    assert about["video"]["codec"] == "h264"
    assert about["video"]["duration"] == pytest.approx(1.5, abs=0.1)
    told = record.whole.diagnostics
    assert {name: told[name] for name in ("cost", "worst")} == {"cost": 0.5, "worst": None}
    assert set(told) == {"cost", "worst", "appearance"}
    assert (record.whole.start, record.whole.end) == (0.0, pytest.approx(17 / 12, abs=0.01))


def test_each_shot_is_labelled_and_frames_are_read_once(cut_clip):
    estimator = Panning()
    result = label_clip_file(cut_clip, estimator, ThresholdClassifier())
    assert len(result.record.shots) == len(result.shots) == 2
    assert [len(times) for times in estimator.times] == [18, 18]
    ends = [(shot.start, shot.end) for shot in result.record.shots]
    assert ends[0] == (0.0, pytest.approx(17 / 12, abs=0.01))
    assert ends[1] == (pytest.approx(1.5, abs=0.01), pytest.approx(35 / 12, abs=0.01))
    assert Reason.CUT_INSIDE in {doubt.reason for doubt in result.record.whole.doubts}


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        (ValueError("one\ntwo\tthree"), Reason.ESTIMATOR_CRASHED, "ValueError: one two three"),
        (np.linalg.LinAlgError("singular"), Reason.ESTIMATOR_CRASHED, "singular"),
        (MemoryError(), Reason.OUT_OF_MEMORY, "memory"),
    ],
)
def test_an_estimator_that_crashes_is_a_failed_record(clip, error, reason, said):
    record = label_clip_file(clip, Crashing(error), ThresholdClassifier()).record
    assert record.failure.reason == reason
    assert said in record.failure.message
    assert record.labels == ()
    assert record.scores == {}


def test_a_crash_in_one_shot_leaves_the_other_and_its_times(cut_clip):
    class FirstShotCrashes(Panning):
        def estimate(self, frames: Iterable[Frame]) -> Estimate:
            if self.times:
                return super().estimate(frames)
            self.times.append([next(iter(frames)).time])
            raise ValueError("first")

    record = label_clip_file(cut_clip, FirstShotCrashes(), ThresholdClassifier()).record
    assert record.labels == ("pan_right",)
    assert record.shots[0].failure.reason == Reason.ESTIMATOR_CRASHED
    assert record.shots[0].end == pytest.approx(17 / 12, abs=0.01)
    assert record.shots[1].labels == ("pan_right",)


def test_a_classifier_that_crashes_keeps_the_motion(clip):
    result = label_clip_file(clip, Panning(), CrashingClassifier())
    assert result.record.failure.reason == Reason.ESTIMATOR_CRASHED
    assert "the classifier threshold crashed: ZeroDivisionError" in result.record.failure.message
    again = reclassify(result.record, result.shots, ThresholdClassifier(), {"classifier": "new"})
    assert again.labels == ("pan_right",)
    assert again.provenance["classifier"] == "new"
    assert again.provenance["content"] == result.record.provenance["content"]


def test_a_record_without_motion_keeps_its_failure(tmp_path):
    record = label_clip_file(tmp_path / "none.mp4", Panning(), ThresholdClassifier()).record
    assert record.failure.reason == Reason.MISSING
    assert "none.mp4" in record.failure.message
    assert record.provenance["content"] is None
    assert record.provenance["video"] is None
    again = reclassify(record, (), ThresholdClassifier(), {})
    assert again.failure == record.failure


def test_a_failure_of_the_estimator_is_passed_on(clip):
    class TooDark(Panning):
        def estimate(self, frames: Iterable[Frame]) -> Estimate:
            return Estimate((), failure=Failure(Reason.TOO_DARK, "black"), diagnostics={"a": 1})

    result = label_clip_file(clip, TooDark(), ThresholdClassifier())
    assert result.record.failure == Failure(Reason.TOO_DARK, "black")
    assert result.record.whole.diagnostics["a"] == 1
    assert "appearance" in result.record.whole.diagnostics
    # The estimator did not read the shot, which is as long as it is all the same.
    assert result.record.whole.end == pytest.approx(17 / 12, abs=0.01)


def test_a_still_picture_is_doubted_and_a_still_camera_is_not(write_clip, tmp_path):
    noise = np.random.default_rng(1).integers(-20, 20, (18, *TEXTURE.shape))
    filmed = [np.clip(TEXTURE + n, 0, 255).astype(np.uint8) for n in noise]
    for name, images, doubted in (("picture", [TEXTURE] * 18, True), ("camera", filmed, False)):
        clip = write_clip(tmp_path / f"{name}.mp4", images)
        doubts = label_clip_file(clip, Panning(), ThresholdClassifier()).record.whole.doubts
        assert (Reason.FROZEN in {doubt.reason for doubt in doubts}) == doubted


def test_a_snippet_at_a_cut_does_not_make_the_clip_a_still_picture(write_clip, tmp_path):
    class NeedsThree(Panning):
        def estimate(self, frames: Iterable[Frame]) -> Estimate:
            kept = list(frames)
            if len(kept) < 3:
                return Estimate((), failure=Failure(Reason.TOO_SHORT, "Too few pictures."))
            return super().estimate(kept)

    rng = np.random.default_rng(7)
    walls = rng.integers(0, 128, (2, 15, 20), dtype=np.uint8)
    before, wall = (np.kron(wall, np.ones((8, 8), np.uint8)) for wall in walls)
    flickering = [wall + np.uint8(110 + 10 * (i % 2)) for i in range(18)]
    clip = write_clip(tmp_path / "snippet.mp4", [before, before, *flickering])
    record = label_clip_file(clip, NeedsThree(), ThresholdClassifier()).record
    assert [shot.failure is None for shot in record.shots] == [False, True]
    assert record.shots[0].doubts == ()
    assert record.failure is None
    assert record.labels == ("pan_right",)
    reasons = {doubt.reason for doubt in record.whole.doubts}
    assert reasons == {Reason.CUT_INSIDE, Reason.TOO_SHORT}


def test_a_clip_that_breaks_off_is_labelled_with_a_doubt(write_clip, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (60, 96, 128, 3), dtype=np.uint8)
    whole = write_clip(tmp_path / "whole.mp4", noise).read_bytes()
    clip = tmp_path / "torn.mp4"
    clip.write_bytes(whole[: len(whole) // 2])
    record = label_clip_file(clip, Panning(), ThresholdClassifier()).record
    assert record.labels == ("pan_right",)
    assert Reason.DECODE_ERROR in {doubt.reason for doubt in record.whole.doubts}


def test_reading_ahead_changes_nothing(cut_clip, clip, tmp_path):
    clip.write_bytes(clip.read_bytes()[:1000])
    paths = (cut_clip, clip, tmp_path / "none.mp4")
    crash = Crashing(ValueError("of its own"))
    for path, estimator in [(path, Panning()) for path in paths] + [(cut_clip, crash)]:
        before = threading.active_count()
        records = [
            label_clip_file(path, estimator, ThresholdClassifier(), threads=threads).record
            for threads in (0, 1, 3)
        ]
        assert threading.active_count() == before
        one, *others = ({**r.to_dict(), "provenance": {}} for r in records)
        assert others == [one, one]
