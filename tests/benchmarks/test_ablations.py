"""Parts of the estimator are switched off from outside, one at a time, and put back."""

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from benchmarks import ablations
from benchmarks.__main__ import main
from benchmarks.ablations import ABLATIONS, Ablation, Swap, differ, rows, without
from benchmarks.labelling import Verdict, verdict
from dollygrip.runners.estimators.flow import DEFAULTS
from dollygrip.runners.rendering import write_video


def _now(ablation: Ablation) -> list[object]:
    return [getattr(import_module(swap.module), swap.name) for swap in ablation.swaps]


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda ablation: ablation.name)
def test_every_part_is_there_is_replaced_and_is_put_back(ablation) -> None:
    before = _now(ablation)
    with without(ablation) as estimator:
        assert all(old is not new for old, new in zip(before, _now(ablation), strict=True))
        changed = estimator.settings != DEFAULTS
    assert changed == bool(ablation.settings)
    assert changed or ablation.swaps
    assert all(old is new for old, new in zip(before, _now(ablation), strict=True))


def test_a_part_is_put_back_when_the_estimator_crashes() -> None:
    (ablation,) = (a for a in ABLATIONS if a.name == "no ground expected")
    before = _now(ablation)
    with pytest.raises(RuntimeError), without(ablation):
        raise RuntimeError
    assert _now(ablation) == before


@pytest.mark.parametrize(
    ("stale", "word"),
    [
        (Ablation("old", (Swap("dollygrip.geometry.bundle", "GONE", lambda old: 0),)), "GONE"),
        (Ablation("old", settings={"gone": 1}), "gone"),
    ],
)
def test_a_part_that_is_gone_is_an_error_before_any_work(
    stale, word, labels_csv, monkeypatch, capsys
) -> None:
    with pytest.raises(ValueError, match=f"'old' is out of date.*{word}"), without(stale):
        pass
    monkeypatch.setattr(ablations, "ABLATIONS", (stale,))
    assert main(["ablations", str(labels_csv({"clip": "a"}))]) == 1
    assert word in capsys.readouterr().err


def test_the_table_has_a_row_a_part_and_tells_what_has_no_effect(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b", "static")]
    right, still = said("pan_left", pan_left=0.9), said("static", static=0.9)
    lost = Verdict(failure="LinAlgError", seconds=1.0)
    whole, blind, useless = rows(truths, ["x", "y"], [[right, lost, right], [still, still, still]])
    assert (whole.exact, whole.mean_ap, whole.changed) == (1.0, 1.0, 0)
    assert (blind.exact, blind.failed, blind.changed) == (0.5, 0.5, 1)
    assert (useless.exact, useless.changed) == (1.0, 0)


def test_verdicts_differ_in_labels_scores_or_failure_but_not_in_time(said) -> None:
    one = said("pan_left", pan_left=0.9)
    assert not differ(one, replace(one, seconds=9.0, trust=0.9))
    assert differ(one, said("pan_left", pan_left=0.8))
    assert differ(one, said("pan_left", "roll_cw", pan_left=0.9))
    assert differ(one, Verdict(failure="lost"))


@pytest.fixture
def clip(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    path = tmp_path / "pan.mp4"
    write_video(path, (np.roll(noise, 2 * i, axis=1) for i in range(12)), np.arange(12) / 10)
    return path


@pytest.mark.slow
def test_clips_are_labelled_without_each_part(labels_csv, clip, tmp_path) -> None:
    folder = labels_csv({"clip": clip.name, "pan_left": "yes"}, {"clip": "none.mp4"})
    command = ["ablations", str(folder), "--jobs=1", "--parts", "no *", "--out", str(tmp_path)]
    assert main(command) == 0
    told = {row["name"]: row for row in json.loads((tmp_path / "ablations.json").read_text())}
    parts = {a.name for a in ABLATIONS if a.name.startswith("no ")}
    assert {"no forward-backward check", "no still-camera evidence"} < parts
    assert set(told) == {"nothing"} | parts
    # The clip that is not there fails whatever is switched off.
    assert all(row["failed"] == 0.5 for row in told.values())
    assert all(row["seconds"] > 0 for row in told.values())
    assert told["nothing"]["changed"] == 0


@pytest.mark.slow
def test_from_the_same_tracks_comes_the_same_verdict(clip) -> None:
    (whole,) = ablations.label_without(clip, [])
    assert not differ(whole, verdict(clip, "flow", "learned"))
    # What is put back in is what was taken out.
    *_, last = ablations.label_without(clip, ["no ground expected"])
    assert not last.failure
    assert not differ(whole, verdict(clip, "flow", "learned"))
