"""The training set and the shipped weights can be made again, and are those of this version."""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import filmed, rendered, training
from benchmarks.training import (
    SEED,
    SPLITS,
    Example,
    rendered_examples,
    simulated_examples,
    training_table,
    trust_examples,
)
from dollygrip.classifiers.features import LABEL_FEATURES, MOMENT_FEATURES, TRUST_FEATURES
from dollygrip.classifiers.fitting import NetworkClassifier
from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.learned import LearnedClassifier, LearnedSettings
from dollygrip.classifiers.network import from_bytes
from dollygrip.classifiers.shipped import WEIGHTS, shipped
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis

LABELS = [d.name for d in DEFINITIONS]


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """A dozen shots, numbered from 7; some have labels that nobody can tell."""
    return list(simulated_examples(12, 7, seed=5))


@pytest.fixture(scope="module")
def shot_alone(examples) -> Example:
    """A shot of which everything is known."""
    return next(e for e in examples if None not in e.marks.values())


def command(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    training.add_command(parser.add_subparsers())
    return parser.parse_args(["training", *arguments])


# Simulated shots.


def test_simulated_shots_are_numbered_and_their_marks_fit_their_spans(examples):
    assert [example.group for example in examples] == list(range(7, 19))
    for example in examples:
        assert {*example.marks} >= {*LABELS}
        assert sum(reading.probability for reading in example.readings) == pytest.approx(1.0)
        for name in DIRECTIONS:
            if example.marks[name]:
                assert example.spans[name]
        for spans in example.spans.values():
            for span in spans:
                assert 0.0 <= span.start <= span.end <= example.duration + 1e-9


def test_more_simulated_shots_leave_the_first_ones_as_they_are(examples):
    fewer = list(simulated_examples(3, 7, seed=5))
    for one, other in zip(fewer, examples[:3], strict=True):
        assert (one.marks, one.spans, one.duration) == (other.marks, other.spans, other.duration)
    others = list(simulated_examples(3, 7, seed=6))
    assert [one.duration for one in others] != [one.duration for one in fewer]


# The table.


def test_a_row_for_each_shot_and_label(examples):
    table = training_table(examples, {"made": "here"}).labels
    assert table.features == LABEL_FEATURES
    assert table.rows.shape == (len(examples) * len(LABELS), len(LABEL_FEATURES))
    assert np.isfinite(table.rows).all()
    marks = [example.marks[name] for example in examples for name in LABELS]
    np.testing.assert_array_equal(table.targets, [mark is True for mark in marks])
    unknown = np.array([mark is None for mark in marks])
    assert unknown.any()
    np.testing.assert_array_equal(table.weights == 0.0, unknown)
    np.testing.assert_array_equal(table.groups, np.repeat(np.arange(7, 19), len(LABELS)))


def test_moments_are_those_of_moves_that_are_there(examples):
    table = training_table(examples, {})
    assert table.moments.features == MOMENT_FEATURES
    assert table.moments.rows.shape == (len(table.moments.targets), len(MOMENT_FEATURES))
    moving = {e.group for e in examples if any(e.marks[name] for name in DIRECTIONS)}
    assert {*table.moments.groups.tolist()} == moving
    assert 0 < table.moments.targets.sum() < len(table.moments.targets)
    assert (table.moments.weights > 0.0).all()
    blind = [replace(example, spans=None) for example in examples[:6]] + examples[6:]
    assert {*training_table(blind, {}).moments.groups.tolist()} == {g for g in moving if g >= 13}


def test_a_long_shot_weighs_no_more_than_a_short_one(examples):
    moments = training_table(examples, {}).moments
    moves = [sum(bool(e.marks[n] and e.spans.get(n)) for n in DIRECTIONS) for e in examples]
    weighed = [moments.weights[moments.groups == example.group].sum() for example in examples]
    each = [weight / count for weight, count in zip(weighed, moves, strict=True) if count]
    np.testing.assert_allclose(each, each[0])


def test_still_shots_count_more_than_their_weight(shot_alone):
    still = replace(shot_alone, marks=shot_alone.marks | {"static": True})
    moving = replace(shot_alone, marks=shot_alone.marks | {"static": False})
    table = training_table([still, moving, replace(moving, weight=2.0 * moving.weight)], {}).labels
    first, second, third = table.weights.reshape(3, -1)[:, 0]
    assert first > 2.0 * second
    assert third == pytest.approx(2.0 * second)


def test_the_same_seed_makes_the_same_table_to_the_last_bit(examples):
    one = training_table(examples, {})
    other = training_table(list(simulated_examples(12, 7, seed=5)), {})
    for question in ("labels", "moments"):
        for part in ("rows", "targets", "weights", "groups"):
            first = getattr(getattr(one, question), part)
            assert first.tobytes() == getattr(getattr(other, question), part).tobytes()


# Trust.


def test_an_answer_is_right_when_all_that_is_known_is_said(examples):
    clear = [e for e in examples if not e.marks["static"]]
    truth = np.array([[bool(e.marks[name]) for name in LABELS] for e in clear], float).ravel()
    right = trust_examples(clear, np.where(truth > 0.5, 0.9, 0.1))
    assert right.features == TRUST_FEATURES
    assert right.rows.shape == (len(clear), len(TRUST_FEATURES))
    assert right.targets.all()
    assert right.groups.tolist() == [example.group for example in clear]
    assert not trust_examples(clear, np.where(truth > 0.5, 0.1, 0.9)).targets.any()


def test_what_nobody_can_tell_makes_no_answer_wrong(shot_alone):
    said = np.array([0.9 if shot_alone.marks[name] else 0.1 for name in LABELS])
    missed = said.copy()
    free = next(
        n for n in DIRECTIONS if not shot_alone.marks[n] and _opposite_is_free(shot_alone, n)
    )
    missed[LABELS.index(free)] = 0.9
    unsure = replace(shot_alone, marks=shot_alone.marks | {free: None})
    assert not trust_examples([shot_alone], missed).targets.any()
    assert trust_examples([unsure], missed).targets.all()


def _opposite_is_free(shot: Example, name: str) -> bool:
    axis = BY_NAME[name].axis
    return not any(shot.marks[n] for n in DIRECTIONS if BY_NAME[n].axis == axis)


def test_without_chances_the_answers_are_those_of_the_rules(examples):
    by_rules = trust_examples(examples, None)
    apart = by_rules.rows[:, TRUST_FEATURES.index("other labels by rules")]
    assert not apart[by_rules.rows[:, TRUST_FEATURES.index("ambiguous")] == 0.0].any()


# The weights.


def test_the_shipped_weights_are_made_as_it_says_here():
    _, recipe = shipped()
    told = json.loads(json.dumps(recipe["data"]))
    assert recipe["seed"] == SEED == command("folder").seed
    assert told["splits"] == list(SPLITS)
    assert told["rendered"] == sum(len(_plans(split)) for split in SPLITS)
    assert told["simulated"] == command("folder").simulated
    assert told["estimator"] == "flow"
    for name, settings in (("model", training._MODEL), ("judge", training._JUDGE)):
        expected = NetworkClassifier(**settings).get_params()
        for key, value in recipe[name].items():
            assert value == (list(expected[key]) if key == "hidden" else expected[key])
    asked = recipe["questions"]
    assert asked["labels"]["baseline"] == training._BASELINE
    expected = {
        "labels": LABEL_FEATURES,
        "moments": MOMENT_FEATURES,
        "trust": TRUST_FEATURES,
        "trust_threshold": TRUST_FEATURES,
    }
    assert {name: tuple(asked[name]["features"]) for name in asked} == expected


def _plans(split):
    return (training.sequences if split in training.sequences.SPLITS else rendered).plans(split)


def test_the_weights_go_where_the_package_ships_them():
    assert command("folder").out.resolve() == (
        Path(__file__).parents[2] / "classifiers" / "data" / WEIGHTS
    )


@pytest.fixture(scope="module")
def filmed_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a split ``tiny`` of few small clips."""
    folder = tmp_path_factory.mktemp("training")
    small = [
        plan
        for plan in filmed.plans("tiny", 40, 1)
        if np.prod(plan.size) <= 100_000 and plan.duration < 3.0 and plan.rate <= 16.0
    ]
    clips = tuple(small[:5])
    rendered.render_plans(folder / "tiny", clips, 9000)
    filmed.write_segments(folder / "tiny", clips)
    return folder


@pytest.mark.slow
def test_rendered_clips_are_seen_twice_and_estimated_once(filmed_clips):
    examples = list(rendered_examples(filmed_clips, ["tiny"], 1))
    assert len(examples) == 10
    for told, untold in zip(examples[::2], examples[1::2], strict=True):
        assert told.group == untold.group
        assert told.weight > untold.weight
        assert told.diagnostics
        assert not untold.diagnostics
        assert not untold.doubts
        assert told.spans is not None
        assert untold.spans is None
    kept = {file: file.stat().st_mtime_ns for file in (filmed_clips / "motion").iterdir()}
    assert len(kept) == 5
    again = list(rendered_examples(filmed_clips, ["tiny"], 1))
    assert {file: file.stat().st_mtime_ns for file in (filmed_clips / "motion").iterdir()} == kept
    for one, other in zip(examples, again, strict=True):
        assert one.readings[0].scores == other.readings[0].scores


@pytest.mark.slow
def test_one_command_makes_the_same_weights_twice(filmed_clips, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "SPLITS", ("tiny",))
    monkeypatch.setattr(training, "_MODEL", {"steps": 150})
    monkeypatch.setattr(training, "_JUDGE", {"hidden": (4,), "steps": 50})
    made = []
    for name in ("one", "two"):
        # Estimated anew: motion must come out the same, too.
        shutil.rmtree(filmed_clips / "motion", ignore_errors=True)
        out = tmp_path / f"{name}.safetensors"
        arguments = ("--jobs", "1", "--simulated", "40", "--out", str(out))
        assert training.run(command(str(filmed_clips), *arguments)) == 0
        made.append(out.read_bytes())
    assert made[0] == made[1]
    asked = json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")
    assert {*asked} == {"labels", "moments", "trust", "trust_threshold"}
    networks, recipe = from_bytes(made[0], "one")
    assert recipe["data"] == {
        "splits": ["tiny"],
        "rendered": 5,
        "simulated": 40,
        "estimator": "flow",
    }
    assert {*networks} == {*asked}

    classifier = LearnedClassifier(LearnedSettings(weights=str(out)))
    for name, amount in (("pan_left", 20.0), ("dolly_in", 0.4), ("zoom_out", 0.35)):
        path = camera_path([Move(name, amount)], duration=3.0, rate=12.0)
        shot = classifier.classify([Hypothesis("all", 1.0, path)], start=0.0, end=3.0)
        assert name in shot.labels
        assert shot.segments
        axis = AXES.index(BY_NAME[name].axis)
        assert np.sign(list(shot.attributes["visible"].values())[axis]) == BY_NAME[name].sign
