"""Learning from somebody's own labels and the stored motion of a run."""

import csv
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.features import LABEL_FEATURES
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.classifiers.network import Network, from_bytes, probability
from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis
from dollygrip.runners import training
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.formats.truth import LabelError
from dollygrip.runners.pipeline import classify_shots
from dollygrip.runners.store import RunStore, StoreError, motion_files
from dollygrip.runners.training import (
    CALIBRATED,
    REFITTED,
    SHIPPED,
    Trained,
    TrainingError,
    collect,
    train,
    write_weights,
)

SCORE = LABEL_FEATURES.index("score")
# The names of the moves, and how much of each shot a clip shows, in degrees.
TURNS = ("pan_left", "pan_right", "tilt_up", "tilt_down")


def untrained(seed: int = 0) -> Network:
    """Says what the threshold classifier says."""
    rng, width = np.random.default_rng(seed), len(LABEL_FEATURES)
    return Network(
        mean=np.zeros(width, np.float32),
        scale=np.full(width, 4.0, np.float32),
        shift=np.where(np.arange(width) == SCORE, 4.0, 0.0).astype(np.float32),
        weights=(
            rng.normal(size=(2, width, 8)).astype(np.float32) / 8,
            np.zeros((2, 8, 1), np.float32),
        ),
        biases=(np.zeros((2, 8), np.float32), np.zeros((2, 1), np.float32)),
    )


def stand_in() -> tuple[dict[str, Network], dict[str, Any]]:
    return {name: untrained() for name in ("labels", "moments", "trust")}, {"seed": 7}


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Network]:
    monkeypatch.setattr(training, "shipped", stand_in)
    return stand_in()[0]


def write_run(folder: Path, clips: dict[str, tuple[str, float]], **changed: Any) -> Path:
    """A run with one turn in each clip."""
    with RunStore(folder) as store:
        for name, (move, degrees) in clips.items():
            path = camera_path([Move(move, degrees)], duration=2.0, rate=8.0)
            shot = ShotMotion(0.0, 2.0, (Hypothesis("rotation", 1.0, path),))
            shots = changed.get(name, (shot,))
            whole, parts = classify_shots(ThresholdClassifier(), shots)
            about = {
                "estimator": {"name": "e", "hash": "e"},
                "classifier": {"name": "c", "hash": "c"},
                "content": None,
            }
            store.append(ClipLabels(name, f"{name}.mp4", whole, parts, about), motion_files(shots))
    return folder


def write_table(file: Path, rows: list[dict[str, str]]) -> Path:
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def table_row(clip: str, labels: tuple[str, ...], **more: str) -> dict[str, str]:
    return {"clip": clip, **{n: "yes" if n in labels else "no" for n in PRIMITIVES}, **more}


def some_clips(count: int) -> dict[str, tuple[str, float]]:
    rng = np.random.default_rng(0)
    return {f"c{i}": (TURNS[i % 4], float(rng.uniform(2.0, 24.0))) for i in range(count)}


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the labels of somebody who names turns from 12 degrees on only."""
    folder, clips = tmp_path_factory.mktemp("strict"), some_clips(60)
    rows = [
        table_row(f"{name}.mp4", (move,) if degrees > 12 else ())
        for name, (move, degrees) in clips.items()
    ]
    return write_run(folder / "run", clips), write_table(folder / "labels.csv", rows)


@pytest.fixture(scope="module")
def trained(lenient: tuple[Path, Path]) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "shipped", stand_in)
        return train(collect(*lenient), seed=3)


def test_learns_what_somebody_means_by_a_label(
    lenient: tuple[Path, Path], trained: Trained
) -> None:
    lessons = collect(*lenient)
    assert lessons.rows.shape == (60, 22, len(LABEL_FEATURES))
    assert not lessons.left_out
    scores = trained.scores
    assert list(scores) == [SHIPPED, CALIBRATED, REFITTED]
    best, before = scores[trained.chosen], scores[SHIPPED]
    assert best.log_loss == min(found.log_loss for found in scores.values())
    for name in (CALIBRATED, REFITTED):
        assert scores[name].log_loss < 0.8 * before.log_loss
    assert best.exact > before.exact + 0.1
    assert best.calibration_error < before.calibration_error
    assert set(scores[SHIPPED].average_precision) == set(TURNS)
    pans = lessons.rows[:, [n for n, d in enumerate(training.DEFINITIONS) if d.name in TURNS]]
    named, named_now = (
        network.probabilities(pans.reshape(-1, len(LABEL_FEATURES))).mean()
        for network in (untrained(), trained.networks["labels"])
    )
    assert named_now < named


def test_the_same_lessons_give_the_same_weights(
    lenient: tuple[Path, Path], trained: Trained, tmp_path: Path, networks: dict[str, Network]
) -> None:
    lessons = collect(*lenient)
    first, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_weights(first, trained)
    write_weights(again, train(lessons, seed=3))
    assert first.read_bytes() == again.read_bytes()
    found, recipe = from_bytes(first.read_bytes(), "a")
    assert sorted(found) == ["labels", "moments", "trust"]
    rows = lessons.rows[:, 0]
    assert not np.allclose(found["labels"].logits(rows), networks["labels"].logits(rows))
    np.testing.assert_array_equal(found["trust"].logits(rows), networks["trust"].logits(rows))
    assert recipe["clips"] == 60
    assert recipe["yes"] == int(lessons.answers.sum())
    assert recipe["started from"] == {"seed": 7}
    assert set(recipe["scores"]) == {SHIPPED, CALIBRATED, REFITTED}


def test_labels_that_agree_already_change_nothing_for_the_worse(
    tmp_path: Path, networks: dict[str, Network]
) -> None:
    clips = some_clips(40)
    run = write_run(tmp_path / "run", clips)
    lessons = collect(
        run, write_table(tmp_path / "l.csv", [table_row(n, (m,)) for n, (m, _) in clips.items()])
    )
    # What the shipped network says comes true exactly as often as it says.
    chances = probability(networks["labels"].logits(lessons.rows.reshape(-1, len(LABEL_FEATURES))))
    drawn = np.random.default_rng(0).random(len(chances)) < chances
    agreed = replace(lessons, answers=drawn.reshape(lessons.known.shape) & lessons.known)
    trained = train(agreed)
    best = trained.scores[trained.chosen]
    assert best.log_loss <= trained.scores[SHIPPED].log_loss
    assert best.log_loss > 0.8 * trained.scores[SHIPPED].log_loss


def test_clips_of_one_group_are_held_out_together(tmp_path: Path) -> None:
    clips = some_clips(12)
    run = write_run(tmp_path / "run", clips)
    rows = [table_row(n, (m,), group=f"v{i % 6}") for i, (n, (m, _)) in enumerate(clips.items())]
    lessons = collect(run, write_table(tmp_path / "l.csv", rows))
    assert [int((lessons.groups == g).sum()) for g in range(6)] == [2] * 6
    assert lessons.groups[0] == lessons.groups[6]


def test_what_nobody_said_is_not_learned_from(tmp_path: Path) -> None:
    clips = some_clips(12)
    run = write_run(tmp_path / "run", clips)
    rows = [{**table_row(n, (m,)), "roll_cw": "unsure"} for n, (m, _) in clips.items()]
    lessons = collect(run, write_table(tmp_path / "l.csv", rows))
    names = [d.name for d in training.DEFINITIONS]
    asked = {name for name, known in zip(names, lessons.known.T, strict=True) if known.any()}
    assert asked == set(PRIMITIVES) - {"roll_cw"}
    assert train(lessons).recipe["answers"] == 12 * 14


def test_clips_without_one_shot_are_counted_and_left_out(tmp_path: Path) -> None:
    clips = some_clips(16)
    path = camera_path([Move("pan_left", 20.0)], duration=2.0, rate=8.0)
    shot = ShotMotion(0.0, 2.0, (Hypothesis("rotation", 1.0, path),))
    dark = ShotMotion(0.0, 2.0, failure=Failure(Reason.TOO_DARK, "The picture is black."))
    cut = (shot, replace(shot, start=2.0, end=4.0))
    run = write_run(tmp_path / "run", clips, c0=cut, c1=(dark,))
    (run / "trajectories" / "c2.npz").write_bytes(b"damaged")
    rows = [table_row(n, (m,)) for n, (m, _) in clips.items()] + [table_row("other", ())]
    lessons = collect(run, write_table(tmp_path / "l.csv", rows))
    assert len(lessons.rows) == 13
    assert lessons.left_out == {
        "with cuts": 1,
        "failed": 1,
        "without motion": 1,
        "not in the run": 1,
    }


def test_progress_is_shown_of_every_clip(lenient: tuple[Path, Path]) -> None:
    seen: list[int] = []

    def watch(items: Any, total: int) -> Any:
        for item in items:
            seen.append(total)
            yield item

    collect(*lenient, watch=watch)
    assert seen == [60] * 60


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([table_row(f"x{i}", ("static",)) for i in range(20)], "0 of the 20 clips"),
        ([table_row(f"c{i}", ("static",)) for i in range(9)], "9 of the 9 clips.*10 are needed"),
        ([table_row(f"c{i}", ("static",)) for i in range(12)], "no label has both"),
        (
            [table_row(f"c{i}", (("static", "zoom_in")[i % 2],), group="v") for i in range(12)],
            "all clips are of 1 groups",
        ),
    ],
    ids=["strangers", "few", "one answer", "one group"],
)
def test_too_little_to_learn_from_is_said(
    tmp_path: Path, said: list[dict[str, str]], message: str
) -> None:
    run = write_run(tmp_path / "run", some_clips(12))
    with pytest.raises(TrainingError, match=message):
        collect(run, write_table(tmp_path / "l.csv", said))


def test_what_is_no_run_or_no_labels_is_refused(tmp_path: Path, lenient: tuple[Path, Path]) -> None:
    run, labels = lenient
    with pytest.raises(StoreError, match="no run"):
        collect(tmp_path, labels)
    with pytest.raises(LabelError, match=r"none\.csv"):
        collect(run, tmp_path / "none.csv")


def test_one_rare_yes_is_no_reason_to_stop(tmp_path: Path) -> None:
    clips = some_clips(12)
    run = write_run(tmp_path / "run", clips)
    rows = [{"clip": n, "pan_left": "yes" if n == "c0" else "no"} for n in clips]
    trained = train(collect(run, write_table(tmp_path / "l.csv", rows)))
    assert np.isfinite(trained.scores[trained.chosen].log_loss)


def test_the_two_lines_of_settings_name_the_file(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / 'my "own" \\ weights.safetensors'
    told = tomllib.loads(write_weights(path, trained))
    assert Path(told["classifier"]["learned"]["weights"]) == path
    assert path.exists()


def test_only_weights_files_are_written_over(trained: Trained, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("mine")
    with pytest.raises(TrainingError, match=r"labels\.csv: a weights file is named"):
        write_weights(labels, trained)
    assert labels.read_text() == "mine"


def test_what_is_not_installed_is_said(
    lenient: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons = collect(*lenient)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TrainingError, match=r"pip install 'dollygrip\[train\]'"):
        train(lessons)
