"""Systems become files that the public evaluator reads, and files become systems again."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.labels import BY_NAME, PRIMITIVES
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.evaluation import evaluate
from dollygrip.runners.formats.scores import Captions, ScoreError, VqaScores, read_scores
from dollygrip.runners.formats.truth import LabelError, read_labels
from dollygrip.runners.official import as_systems, write_official
from dollygrip.runners.systems import Answer, System

TASKS = {"pan_left": "Pan Left", "zoom_in": "Zoom In", "static": "Static"}


def jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def benchmark(tmp_path):
    """A folder laid out like CameraBench's, with made-up clips."""
    folder = tmp_path / "bench"
    chance = np.random.default_rng(0)
    for label, task in TASKS.items():
        clips = [f"v.{i}.mp4" for i in chance.permutation(40)]
        jsonl(
            folder / "binary_classification" / f"{task.replace(' ', '_')}.jsonl",
            [
                {
                    "image": clip,
                    "question": f"Is there {label}?",
                    "label": "Yes" if chance.random() < 0.3 else "No",
                    "task": task,
                }
                for clip in clips[: 40 - len(task)]
            ],
        )
    pair = {
        "pos_video": "v.0.mp4",
        "neg_video": "v.1.mp4",
        "pos_question": "Does the camera zoom in?",
        "neg_question": "Is the camera free from any zoom in effects?",
    }
    jsonl(folder / "vqa_and_retrieval" / "has_motion" / "has_zoom_in.jsonl", [pair])
    other = pair | {"pos_question": "Is it a tracking shot?", "neg_question": "Is it not?"}
    jsonl(folder / "vqa_and_retrieval" / "tracking_shot" / "is_tracking.jsonl", [other])
    said = [{"video": f"v.{i}.mp4", "question": "What?", "answer": f"{i}."} for i in (1, 0, 99)]
    (folder / "caption_data.json").write_text(json.dumps(said))
    return folder


@pytest.fixture
def run():
    """A system with records for 40 clips, each tenth of which failed."""
    chance = np.random.default_rng(1)
    answers = []
    for i in range(40):
        whole = failed(Failure(Reason.TOO_DARK, "It is too dark."), start=0.0, end=1.0)
        if i % 10:
            # Few digits, so that scores tie.
            scores = {label: round(float(chance.random()), 1) for label in BY_NAME}
            whole = ShotLabels(0.0, 1.0, scores=scores, caption=f"Clip {i}.")
        record = ClipLabels(f"v.{i}", f"clips/v.{i}.mp4", whole)
        errors = dict.fromkeys(BY_NAME, "It is too dark.") if whole.failure else {}
        answers.append(Answer(record.clip_id, record.path, whole.scores, errors, record=record))
    return System("flow + learned", Path("run"), tuple(answers))


def public_ap(path):
    """The public evaluator's rules: what has an error is left out; not finite ranks last."""
    kept = [entry for entry in json.loads(path.read_text())["scores"] if entry["error"] is None]
    scores = np.array([entry["score"] for entry in kept])
    labels = np.array([entry["ground_truth_label"].lower() == "yes" for entry in kept])
    return average_precision_score(labels, np.where(np.isfinite(scores), scores, -1e10))


def named(paths, start):
    return [path for path in paths if path.name.startswith(start)]


# --- to files -------------------------------------------------------------------------------


def test_the_public_evaluator_finds_what_we_find(benchmark, run, tmp_path):
    clips = read_labels(benchmark)
    files = named(write_official(tmp_path / "out", benchmark, clips, run), "classification_")
    ours = {r.label: r for r in evaluate(clips, run, resamples=2).labels}
    assert len(files) == len(TASKS)
    for path in files:
        (scores,) = read_scores(path)
        label = scores.metadata.split_name.lower()
        assert public_ap(path) == pytest.approx(ours[label].ap_dropped.value)


def test_files_read_back_are_the_same_system(benchmark, run, tmp_path):
    clips = read_labels(benchmark)
    write_official(tmp_path / "out", benchmark, clips, run)
    (back,) = as_systems(read_scores(tmp_path / "out"))
    assert back.name == run.name
    assert back.source == tmp_path / "out"
    written = {answer.clip_id: answer for answer in run.answers}
    told = {clip.clip.removesuffix(".mp4"): clip.answers for clip in clips}
    assert {answer.clip_id for answer in back.answers} == set(told)
    for answer in back.answers:
        mine, asked = written[answer.clip_id], told[answer.clip_id]
        assert answer.scores == {k: v for k, v in mine.scores.items() if k in asked}
        assert answer.errors == {k: v for k, v in mine.errors.items() if k in asked}
        assert answer.labels is None and answer.record is None


def test_items_keep_their_order_and_their_questions(benchmark, run, tmp_path):
    clips = read_labels(benchmark)
    files = write_official(tmp_path / "out", benchmark, clips, run)
    path = tmp_path / "out" / "classification_scores_flow-learned_Zoom_In.json"
    assert path in files
    entries = json.loads(path.read_text())["scores"]
    items = (benchmark / "binary_classification" / "Zoom_In.jsonl").read_text().splitlines()
    asked = [json.loads(line) for line in items]
    assert [e["video_path"] for e in entries] == [a["image"] for a in asked]
    assert [e["ground_truth_label"] for e in entries] == [a["label"].lower() for a in asked]
    assert [e["sample_id"] for e in entries] == [str(i) for i in range(len(asked))]
    assert {e["question"] for e in entries} == {"Is there zoom_in?"}


def test_a_clip_without_an_answer_has_an_error_and_no_score(benchmark, run, tmp_path):
    few = replace(run, answers=(*run.answers[:5], replace(run.answers[5], scores={})))
    files = write_official(tmp_path / "out", benchmark, read_labels(benchmark), few)
    found = {
        entry["video_path"]: (entry["score"], entry["error"])
        for path in named(files, "classification_")
        for entry in json.loads(path.read_text())["scores"]
    }
    assert found["v.0.mp4"] == (None, "It is too dark.")
    assert found["v.5.mp4"] == (None, "no score")
    assert found["v.6.mp4"] == (None, "no answer for this clip")
    assert all((score is None) != (error is None) for score, error in found.values())


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_error(benchmark, run, tmp_path, score):
    odd = replace(run.answers[3], scores=dict.fromkeys(PRIMITIVES, score))
    files = write_official(
        tmp_path, benchmark, read_labels(benchmark), replace(run, answers=(odd,))
    )
    entries = json.loads(files[0].read_text())["scores"]
    assert all(entry["score"] is None for entry in entries)


def test_a_table_has_the_questions_of_the_benchmark_and_no_pairs(run, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("clip,dolly_in,arc_cw,pan_left\nv.1.mp4,yes,no,unsure\nv.2.mp4,no,unsure,\n")
    files = write_official(tmp_path / "out", table, read_labels(table), run)
    assert [path.name for path in files] == [
        "classification_scores_flow-learned_Move_In.json",
        "classification_scores_flow-learned_arc_cw.json",
    ]
    first, second = (read_scores(path)[0].scores for path in files)
    assert [s.ground_truth_label for s in first] == ["yes", "no"]
    assert first[0].question.startswith("Does the camera move forward (not zooming in)")
    assert [s.question for s in second] == ["Does the camera move in a clockwise arc?"]
    (back,) = as_systems(read_scores(tmp_path / "out"))
    assert set(back.answers[0].scores) == {"dolly_in", "arc_cw"}


def test_pairs_and_captions_are_written_where_there_are_records(benchmark, run, tmp_path):
    clips = read_labels(benchmark)
    files = write_official(tmp_path / "out", benchmark, clips, run)
    (pairs,) = named(files, "vqa_")
    assert pairs.name == "vqa_retrieval_scores_flow-learned_has_motion_has_zoom_in.json"
    (vqa,) = read_scores(pairs)
    assert isinstance(vqa, VqaScores)
    assert vqa.scores[0].error == "v.0.mp4: It is too dark."
    (captions,) = read_scores(*named(files, "caption_"))
    assert isinstance(captions, Captions)
    assert [(c.reference_answer, c.generated_caption, c.error) for c in captions.captions] == [
        ("1.", "Clip 1.", None),
        ("0.", "", "It is too dark."),
        ("99.", "", "no answer for this clip"),
    ]
    (ranks,) = as_systems(read_scores(tmp_path / "out"))
    again = write_official(tmp_path / "again", benchmark, clips, ranks)
    assert {path.name.partition("_")[0] for path in again} == {"classification"}


def test_damaged_pairs_are_refused(benchmark, run, tmp_path):
    (benchmark / "vqa_and_retrieval" / "has_motion" / "has_zoom_in.jsonl").write_text("{")
    with pytest.raises(LabelError, match="no JSON"):
        write_official(tmp_path / "out", benchmark, read_labels(benchmark), run)
    assert not (tmp_path / "out").exists()


# --- from files -----------------------------------------------------------------------------


def written(folder, split, clips, model="vlm", score=0.5):
    entries = [
        {"video_path": clip, "question": "?", "ground_truth_label": "No", "score": score}
        for clip in clips
    ]
    data = {"metadata": {"model_name": model, "split_name": split}, "scores": entries}
    path = folder / f"classification_scores_{model}_{split}.json"
    path.write_text(json.dumps(data))
    return path


def test_models_in_one_folder_are_systems_of_their_own(tmp_path):
    for model in ("b", "a"):
        for split in ("Pan_Left", "roll clockwise", "arc_cw"):
            written(tmp_path, split, ["x.mp4", "y.mp4"], model)
    systems = as_systems(read_scores(tmp_path))
    assert [system.name for system in systems] == ["a", "b"]
    for system in systems:
        assert [answer.clip_id for answer in system.answers] == ["x", "y"]
        assert all(set(a.scores) == {"pan_left", "roll_cw", "arc_cw"} for a in system.answers)


def test_clips_of_one_name_keep_their_folders(tmp_path):
    path = written(tmp_path, "Pan_Left", ["a/x.mp4", "b/x.mp4", "b/y.1.4"])
    (system,) = as_systems(read_scores(path))
    assert [answer.clip_id for answer in system.answers] == ["a/x.mp4", "b/x.mp4", "y.1.4"]
    assert system.source == path


def test_splits_that_are_no_labels_and_clips_that_come_twice_are_refused(tmp_path):
    path = written(tmp_path, "Dutch_Angle", ["x.mp4"])
    with pytest.raises(ScoreError, match=rf"^{path}: split_name is 'Dutch_Angle', no primitive"):
        as_systems(read_scores(path))
    for score in (0.5, None):
        path = written(tmp_path, "Pan_Left", ["x.mp4", "x.mp4"], score=score)
        with pytest.raises(ScoreError, match=rf"^{path}: 'x.mp4' is there twice"):
            as_systems(read_scores(path))
