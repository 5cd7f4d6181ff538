"""The Python API: one clip, a folder, results, and re-labelling."""

import json
import os
import shutil
import subprocess
import sys
import threading
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import dollygrip
from dollygrip.classifiers.labels import BY_NAME, COMPLEXITY, SPEED, STEADINESS
from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.registry import SettingsError
from dollygrip.runners.store import StoreError, read_manifest

SCHEMA = json.loads((files("dollygrip.classifiers") / "data/record.schema.json").read_text())


@pytest.fixture
def clips(grey_clip, tmp_path: Path) -> Path:
    """Three clips that ``moody`` says pan right, one that it crashes on, and one that is none."""
    folder = tmp_path / "clips"
    (folder / "inner").mkdir(parents=True)
    for name in ("one.mp4", "two.mp4", "inner/one.mp4"):
        grey_clip(folder / name, 170)
    grey_clip(folder / "raises.mp4", 120)
    (folder / "text.mp4").write_text("no video")
    return folder


def by_path(records, folder: Path) -> dict[str, dollygrip.ClipLabels]:
    return {os.path.relpath(record.path, folder): record for record in records}


def test_one_clip(moody, clips):
    record = dollygrip.label_clip(clips / "one.mp4", estimator="moody")
    assert record.labels == ("pan_right",)
    assert record.provenance["estimator"]["name"] == "moody"
    jsonschema.validate(record.to_dict(), SCHEMA)


def test_settings_reach_the_estimator_and_the_classifier(moody, clips):
    settings = {"estimator": {"moody": {"pan_deg": -30}}}
    record = dollygrip.label_clip(clips / "one.mp4", estimator="moody", settings=settings)
    assert record.labels == ("pan_left",)
    with pytest.raises(SettingsError, match="speed"):
        dollygrip.label_clip(
            clips / "one.mp4",
            classifier="threshold",
            settings={"classifier": {"threshold": {"speed": 3}}},
        )


def test_a_folder_without_a_run(moody, clips):
    records = by_path(dollygrip.label_folder(clips, estimator="moody", jobs=1), clips)
    assert set(records) == {"one.mp4", "two.mp4", "inner/one.mp4", "raises.mp4", "text.mp4"}
    assert {name for name, record in records.items() if record.failure} == {
        "raises.mp4",
        "text.mp4",
    }
    assert len({record.clip_id for record in records.values()}) == 5
    for record in records.values():
        jsonschema.validate(json.loads(json.dumps(record.to_dict())), SCHEMA)
    assert not (Path.cwd() / "dollygrip-run").exists()


def test_a_run_is_resumed_and_changes_are_noticed(moody, clips, tmp_path):
    run = tmp_path / "run"

    def label(**options: object) -> set[str]:
        """Labels, and says which clips were worked on."""
        before = lines()
        kwargs = {"estimator": "moody", "jobs": 1, **options}
        assert len(list(dollygrip.label_folder(clips, run, **kwargs))) == len(list_clips())
        new = [json.loads(line) for line in lines()[len(before) :]]
        return {os.path.relpath(data["path"], clips) for data in new}

    def lines() -> list[str]:
        file = run / "results.jsonl"
        return file.read_text().splitlines() if file.exists() else []

    def list_clips() -> list[Path]:
        return list(clips.rglob("*.mp4"))

    everything = {os.path.relpath(path, clips) for path in list_clips()}
    assert label() == everything
    assert label() == set()
    assert label(retry_failed=True) == {"raises.mp4", "text.mp4"}
    shutil.copy(clips / "one.mp4", clips / "three.mp4")
    shutil.copy(clips / "raises.mp4", clips / "two.mp4")
    assert label() == {"three.mp4", "two.mp4"}
    os.utime(clips / "one.mp4", (5, 5))
    assert label() == set()
    other = {"estimator": {"moody": {"steps": 4}}}
    assert label(settings=other) == {*everything, "three.mp4"}
    # The whole folder may move: clips are known by their place in it.
    moved = clips.rename(tmp_path / "moved")
    again = list(dollygrip.label_folder(moved, run, estimator="moody", settings=other))
    assert len(again) == len(everything) + 1
    before = len(lines())
    shutil.copytree(moved, clips)
    assert label(settings=other) == set()
    assert len(lines()) == before
    list(dollygrip.label_folder(clips / "one.mp4", run, estimator="moody", restart=True))
    assert len(lines()) == 1


def test_equal_names_in_two_places_stay_apart(moody, grey_clip, tmp_path):
    run = tmp_path / "run"
    for folder, grey in (("a", 170), ("b", 120)):
        (tmp_path / folder).mkdir()
        grey_clip(tmp_path / folder / "clip.mp4", grey)
        list(dollygrip.label_folder(tmp_path / folder, run, estimator="moody", jobs=1))
    frame = dollygrip.load_results(run)
    assert len(frame) == 2
    assert frame["clip_id"].is_unique
    assert frame["failure"].isna().tolist() == [True, False]


def test_a_run_is_read_and_labelled_anew_without_its_videos(moody, clips, tmp_path):
    run = tmp_path / "run"
    records = by_path(dollygrip.label_folder(clips, run, estimator="moody", jobs=1), clips)
    frame = dollygrip.load_results(str(run))
    assert len(frame) == 5
    good = frame[frame["failure"].isna()]
    assert good["pan_right"].all()
    assert (good["duration"] > 0.8).all()
    assert {"results.csv", "results.parquet"} <= {path.name for path in run.iterdir()}

    shutil.rmtree(clips)
    strict = {"classifier": {"threshold": {"shift": 50.0}}}
    news = by_path(dollygrip.classify_run(run, "threshold", settings=strict), clips)
    assert set(news) == set(records)
    assert news["one.mp4"].labels != ("pan_right",)
    assert news["text.mp4"].failure == records["text.mp4"].failure
    one, new = records["one.mp4"].provenance, news["one.mp4"].provenance
    assert new["classifier"]["hash"] != one["classifier"]["hash"]
    assert new["estimator"] == one["estimator"]
    assert new["classifier"]["hash"] in read_manifest(run)["settings"]
    assert one["classifier"]["hash"] in read_manifest(run)["settings"]
    assert len((run / "results.jsonl").read_text().splitlines()) == len(records)

    # One that is cut off changes no record.
    before = (run / "results.jsonl").read_bytes()
    loose = {"classifier": {"threshold": {"shift": 0.5}}}
    begun = dollygrip.classify_run(run, "threshold", settings=loose)
    # The manifest knows the settings before a record names them.
    assert next(begun).provenance["classifier"]["hash"] in read_manifest(run)["settings"]
    begun.close()
    assert (run / "results.jsonl").read_bytes() == before

    # Back to the first classifier: every record is what it was.
    back = by_path(dollygrip.classify_run(run), clips)
    for name, record in records.items():
        assert back[name].whole.to_dict() == record.whole.to_dict()


def test_a_damaged_motion_file_costs_one_clip(moody, clips, tmp_path):
    run = tmp_path / "run"
    records = by_path(dollygrip.label_folder(clips, run, estimator="moody", jobs=1), clips)
    motion = {name: run / "trajectories" / f"{records[name].clip_id}.npz" for name in records}
    motion["one.mp4"].write_bytes(b"PK damaged")
    motion["two.mp4"].unlink()
    news = by_path(dollygrip.classify_run(run), clips)
    for name in ("one.mp4", "two.mp4"):
        assert news[name].failure.reason == Reason.NOT_READABLE
        assert "--retry-failed" in news[name].failure.message
    assert news["inner/one.mp4"].labels == ("pan_right",)
    options = {"estimator": "moody", "jobs": 1, "retry_failed": True}
    again = by_path(dollygrip.label_folder(clips, run, **options), clips)
    assert again["one.mp4"].labels == again["two.mp4"].labels == ("pan_right",)


def unread_stat(path):
    """What writing a file changes and reading it does not: the time of access is left out."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def test_a_new_classifier_does_not_estimate_again(moody, grey_clip, tmp_path):
    clip, run = grey_clip(tmp_path / "clip.mp4", 170), tmp_path / "run"
    list(dollygrip.label_folder(clip, run, estimator="moody", jobs=1))
    stored = next((run / "trajectories").iterdir())
    before = unread_stat(stored)
    strict = {"classifier": {"threshold": {"shift": 50.0}}}
    [record] = dollygrip.label_folder(
        clip, run, estimator="moody", classifier="threshold", settings=strict
    )
    assert record.labels != ("pan_right",)
    assert unread_stat(stored) == before
    assert dollygrip.load_results(run)["pan_right"].tolist() == [False]


def test_leaving_early_keeps_what_is_finished(moody, clips, tmp_path):
    run = tmp_path / "run"
    records = dollygrip.label_folder(clips, run, estimator="moody", jobs=1)
    next(records)
    next(records)
    records.close()
    assert len(dollygrip.load_results(run)) == 2
    assert len(list(dollygrip.label_folder(clips, run, estimator="moody", jobs=1))) == 5


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="dollygrip label"):
        dollygrip.load_results(tmp_path)
    with pytest.raises(StoreError):
        list(dollygrip.classify_run(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(SettingsError, match="flow"):
        dollygrip.label_clip("a.mp4", estimator="flux")


def test_a_missing_clip_is_a_record():
    record = dollygrip.label_clip("nowhere/clip.mp4")
    assert record.failure.reason == Reason.MISSING
    jsonschema.validate(record.to_dict(), SCHEMA)


def test_the_schema_knows_the_whole_vocabulary():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    definitions = SCHEMA["$defs"]
    assert definitions["label"]["enum"] == list(BY_NAME)
    assert SCHEMA["then"]["properties"]["scores"]["required"] == list(BY_NAME)
    assert definitions["reason"]["properties"]["reason"]["enum"] == [r.value for r in Reason]
    levels = definitions["attributes"]["properties"]
    for name, values in (("steadiness", STEADINESS), ("speed", SPEED), ("complexity", COMPLEXITY)):
        assert levels[name]["enum"] == [*values, None]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(labels=["zooms"]),
        lambda data: data.update(extra=1),
        lambda data: data["scores"].pop("static"),
        lambda data: data["scores"].update(static=1.5),
        lambda data: data.update(failure={"reason": "tired", "message": "x"}),
        lambda data: data.update(failure={"reason": "frozen", "message": "x"}),
        lambda data: data["shots"][0].pop("caption"),
        lambda data: data.update(schema_version=2),
        lambda data: data["provenance"].pop("content"),
    ],
)
def test_the_schema_refuses_a_spoilt_record(moody, grey_clip, tmp_path, spoil):
    clip = grey_clip(tmp_path / "clip.mp4", 170)
    data = dollygrip.label_clip(clip, estimator="moody").to_dict()
    jsonschema.validate(data, SCHEMA)
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)


def test_the_package_is_light_and_knows_its_names():
    code = (
        "import dollygrip, sys;"
        "heavy = {'numpy', 'scipy', 'cv2', 'av', 'pandas', 'pebble', 'rich'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "assert set(dollygrip.__all__) <= set(dir(dollygrip));"
        "[getattr(dollygrip, name) for name in dollygrip.__all__]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="label_film"):
        dollygrip.label_film  # noqa: B018


def test_one_clip_takes_one_thread_of_matrices_and_gives_the_others_back(
    moody, grey_clip, tmp_path
):
    clip = grey_clip(tmp_path / "clip.mp4", 170)
    with threadpool_limits(limits=2):
        before = [pool["num_threads"] for pool in threadpool_info()]
        pools = dollygrip.label_clip(clip, estimator="moody").whole.diagnostics["pools"]
        after = [pool["num_threads"] for pool in threadpool_info()]
    assert max(before) == 2
    assert set(pools) == {1}
    assert after == before


def test_settings_are_read_once_for_they_may_come_through_a_pipe(moody, clips, tmp_path):
    pipe = tmp_path / "settings"
    os.mkfifo(pipe)
    text = "[estimator.moody]\npan_deg = -30\n[classifier.threshold]\nshift = 50.0\n"
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    [record] = dollygrip.label_folder(
        clips / "one.mp4", estimator="moody", classifier="threshold", settings=pipe, jobs=1
    )
    writer.join()
    assert record.failure is None
    assert not {"pan_left", "pan_right"} & set(record.labels)
