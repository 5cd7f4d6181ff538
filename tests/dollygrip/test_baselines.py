"""The baselines by name: on a path, and on the stored motion of a run."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

import dollygrip
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.registry import SettingsError

SCHEMA = json.loads((files("dollygrip.classifiers") / "data/record.schema.json").read_text())
BASELINES = ("raw_delta", "steps_et", "steps_spatialvid")


@pytest.mark.parametrize("name", BASELINES)
def test_a_run_is_labelled_anew(moody, grey_clip, tmp_path: Path, name):
    clips, run = tmp_path / "clips", tmp_path / "run"
    clips.mkdir()
    grey_clip(clips / "pans_right.mp4", 170)
    (clips / "text.mp4").write_text("no video")
    list(dollygrip.label_folder(clips, run, estimator="moody", jobs=1))
    records = {Path(r.path).stem: r for r in dollygrip.classify_run(run, name)}
    for record in records.values():
        jsonschema.validate(json.loads(json.dumps(record.to_dict())), SCHEMA)
    assert records["text"].failure
    pan = records["pans_right"]
    assert pan.provenance["classifier"]["name"] == name
    assert ("pan_right" in pan.labels) == (name != "steps_et")
    assert len(dollygrip.load_results(run)) == 2


def test_settings_are_those_of_the_rule():
    path = camera_path([Move("pan_left", 20.0)], duration=81 / 24)
    every_frame = {"classifier": {"steps_spatialvid": {"step": 1 / 24}}}
    said = dollygrip.label_trajectory(path, classifier="steps_spatialvid", settings=every_frame)
    assert said.labels == ("static",)
    with pytest.raises(SettingsError, match="alpha"):
        wrong = {"classifier": {"steps_spatialvid": {"alpha": 2.0}}}
        dollygrip.label_trajectory(path, classifier="steps_spatialvid", settings=wrong)
    with pytest.raises(SettingsError, match="takes no settings"):
        none = {"classifier": {"raw_delta": {"step": 1.0}}}
        dollygrip.label_trajectory(path, classifier="raw_delta", settings=none)
