"""Settings by name, and workers that die without taking the others along."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.engine import Workers
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import (
    SettingsError,
    check_settings,
    choose,
    names,
    read_settings,
)


def recipe(timeout: float | None = None) -> Recipe:
    return Recipe(choose("estimator", "moody"), choose("classifier", "threshold"), timeout)


def workers(jobs: int) -> Workers:
    return Workers(jobs, "moody", "threshold")


def tasks(folder: Path) -> list[Task]:
    return [Task(str(path), path.stem) for path in sorted(folder.iterdir())]


def test_one_clip_that_kills_hangs_or_raises_costs_only_itself(moody, grey_clip, tmp_path):
    for name, grey in (("a_dies", 20), ("b_hangs", 70), ("c_raises", 120)):
        grey_clip(tmp_path / f"{name}.mp4", grey)
    for i in range(4):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    with workers(2) as started:
        results = {r.record.clip_id: r for r in started.label(tasks(tmp_path), recipe(5.0))}
    failures = {name: r.record.failure.reason for name, r in results.items() if r.record.failure}
    assert failures == {
        "a_dies": Reason.ESTIMATOR_CRASHED,
        "b_hangs": Reason.TIMED_OUT,
        "c_raises": Reason.ESTIMATOR_CRASHED,
    }
    assert "SIGABRT" in results["a_dies"].record.failure.message
    assert "5 s" in results["b_hangs"].record.failure.message
    assert "KeyError" in results["c_raises"].record.failure.message
    for i in range(4):
        assert results[f"good{i}"].record.labels == ("pan_right",)
        assert len(results[f"good{i}"].shots) == 1
        # Workers share the processors, so that none may take them all.
        assert results[f"good{i}"].record.whole.diagnostics["threads"] == 1
    # Also what was cut off says which file and settings it was about, so that a resume skips it.
    for result in results.values():
        assert result.record.provenance["content"]["size"] > 0
        assert result.record.provenance["estimator"]["hash"] == recipe().estimator.hash


_GREEDY = """
import sys
import cv2, numpy
from dollygrip import label_folder

if __name__ == "__main__":
    for record in label_folder(sys.argv[1], jobs=1, estimator="moody"):
        print(record.whole.diagnostics["threads"])
"""


def test_workers_of_a_script_that_loads_the_libraries_take_one_thread_too(
    moody, grey_clip, tmp_path
):
    clips = tmp_path / "clips"
    clips.mkdir()
    grey_clip(clips / "good.mp4", 170)
    script = tmp_path / "script.py"
    script.write_text(_GREEDY)
    free = {k: v for k, v in os.environ.items() if "THREAD" not in k}
    done = subprocess.run(
        [sys.executable, str(script), str(clips)],
        env={**free, "PYTHONPATH": sys.path[0]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"]


def test_a_worker_killed_from_outside_costs_one_clip_at_most(moody, grey_clip, tmp_path):
    for i in range(3):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    labels = []
    with workers(1) as started:
        for result in started.label(tasks(tmp_path), recipe()):
            labels.append(result.record.labels)
            if len(labels) == 1:
                for child in children():
                    os.kill(child, signal.SIGKILL)
                time.sleep(0.5)
    assert len(labels) == 3
    assert labels.count(("pan_right",)) >= 2


def test_shots_of_several_clips_go_to_an_estimator_together(moody, grey_clip, tmp_path):
    for i in range(5):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    together = Recipe(choose("estimator", "moody_together"), choose("classifier", "threshold"))
    with Workers(1, "moody_together", "threshold") as started:
        results = {r.record.clip_id: r for r in started.label(tasks(tmp_path), together)}
    assert sorted(results) == [f"good{i}" for i in range(5)]
    assert all(result.record.labels == ("pan_right",) for result in results.values())
    sizes = [result.record.whole.diagnostics["together"] for result in results.values()]
    assert sorted(sizes) == [2, 2, 3, 3, 3]


def test_a_clip_that_kills_a_whole_group_costs_only_itself(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a_dies.mp4", 20)
    grey_clip(tmp_path / "b_raises.mp4", 120)
    (tmp_path / "c_text.mp4").write_text("no video")
    for i in range(2):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    together = Recipe(
        choose("estimator", "moody_together", {"batch": 5}), choose("classifier", "threshold")
    )
    with Workers(1, "moody_together", "threshold") as started:
        results = {r.record.clip_id: r.record for r in started.label(tasks(tmp_path), together)}
    failures = {name: record.failure.reason for name, record in results.items() if record.failure}
    assert failures == {
        "a_dies": Reason.ESTIMATOR_CRASHED,
        "b_raises": Reason.ESTIMATOR_CRASHED,
        "c_text": Reason.NO_VIDEO,
    }
    assert results["good0"].labels == results["good1"].labels == ("pan_right",)


def test_leaving_early_ends_the_workers(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    grey_clip(tmp_path / "b_hangs.mp4", 70)
    before = set(children())
    with workers(2) as started:
        assert next(started.label(tasks(tmp_path), recipe())).record.clip_id == "a"
        assert set(children()) - before
    assert not set(children()) - before


def test_no_clip_is_no_work(moody):
    before = set(children())
    with workers(0) as started:
        assert set(children()) == before
        assert list(started.label([], recipe())) == []


def children() -> list[int]:
    """Processes below this one that label clips."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and "spawn_main" in command:
            found.append(int(status.parent.name))
    return found


def test_third_party_estimators_are_found(moody):
    assert {"flow", "moody"} <= set(names("estimator"))
    assert "threshold" in names("classifier")


def test_a_package_cannot_take_a_built_in_name(moody, tmp_path, monkeypatch):
    about = tmp_path / "thief-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: thief\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dollygrip.classifiers]\nthreshold = moody_estimator:MoodyEstimator\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert choose("classifier", "threshold").target.startswith("dollygrip.classifiers.")


def test_settings_are_filled_in_and_hashed(moody):
    default = choose("estimator", "moody")
    assert default.settings == {
        "pan_deg": 30.0,
        "steps": 3,
        "eager": True,
        "sides": [1, 2],
        "limit": None,
        "inner": {"weight": 1.0},
    }
    same = choose("estimator", "moody", {"steps": 3, "pan_deg": 30})
    other = choose("estimator", "moody", {"inner": {"weight": 2}})
    assert default.hash == same.hash != other.hash
    assert choose("estimator", "moody", other.settings).hash == other.hash
    assert other.make().settings.inner.weight == 2.0


def test_the_hash_of_settings_is_the_same_in_every_version(moody):
    # Records are compared by it across runs: it may change only when settings do.
    assert choose("estimator", "moody").hash == "46d1fb9ea832"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stepz": 3}, ["stepz", "pan_deg, steps, eager"]),
        ({"steps": 1.5}, ["estimator.moody.steps", "whole number", "1.5"]),
        ({"steps": True}, ["estimator.moody.steps", "whole number"]),
        ({"pan_deg": "far"}, ["estimator.moody.pan_deg", "a number", "far"]),
        ({"eager": 1}, ["estimator.moody.eager", "true or false"]),
        ({"sides": [1]}, ["estimator.moody.sides", "a list of 2"]),
        ({"sides": [1, "b"]}, ["estimator.moody.sides[1]", "whole number"]),
        ({"limit": "none"}, ["estimator.moody.limit", "a number"]),
        ({"inner": {"heft": 1}}, ["estimator.moody.inner", "heft", "weight"]),
        ({"steps": 0}, ["estimator.moody", "at least 1"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(moody, settings, said):
    with pytest.raises(SettingsError) as error:
        choose("estimator", "moody", settings)
    for part in said:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[estimators.flow]", "estimators"),
        ("[estimator.fluw]", "fluw"),
        ("estimator = 3", "estimator"),
        ("[estimator]\nflow = 3", "flow"),
        ("[estimator.flow", "not TOML"),
        ("\x00", "not TOML"),
    ],
)
def test_a_wrong_settings_file_is_refused(tmp_path, text, said):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_settings(file)


def test_a_settings_file_is_read(moody, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[estimator.moody]\nsides = [3, 4]\nlimit = 2\n[classifier.threshold]\n")
    settings = read_settings(file)
    choice = choose("estimator", "moody", settings["estimator"]["moody"])
    assert choice.make().settings.sides == (3, 4)
    assert choice.make().settings.limit == 2.0
    assert settings["classifier"] == {"threshold": {}}


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        read_settings(tmp_path / "nowhere.toml")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="threshold"):
        choose("classifier", "treshold")
    assert check_settings({}) == {"estimator": {}, "classifier": {}}
