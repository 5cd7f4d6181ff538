"""Rendered sequences: what they show, and what is said of it."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sequences
from benchmarks.plan import ClipPlan, trajectory_of
from benchmarks.sequences import SPLITS, plans, rendered_sequences, story
from benchmarks.stories import Stretch, read_stories
from benchmarks.truth import read_truth
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DIRECTIONS
from dollygrip.geometry.normalize import camera_motion
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.synthetic import Move, Shake
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import WORLDS, scene

# Truth has a clock of its own.
TICK = 0.02


@pytest.mark.parametrize("split", SPLITS)
def test_names_are_files_of_their_own(split):
    names = [plan.name for plan in plans(split)]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() for name in names)


def test_the_splits_differ_in_everything_but_their_kinds():
    tune, held = (plans(split) for split in SPLITS)
    for one, other in zip(tune, held, strict=True):
        assert one.tags[0] == other.tags[0]
        assert one.moves != other.moves
        assert one.world != other.world
        assert one.rate != other.rate


def test_the_clips_have_all_lengths_and_rates():
    for split in SPLITS:
        seconds = [plan.duration for plan in plans(split)]
        rates = [plan.rate for plan in plans(split)]
        assert min(seconds) >= 3.0
        assert 8.0 < max(seconds) < 12.0
        assert (min(rates), max(rates)) == (12.0, 60.0)


@pytest.mark.parametrize("split", SPLITS)
def test_stories_say_what_the_camera_does(split):
    """Each axis moves where a stretch says so, the right way, and hardly anywhere else."""
    for plan in plans(split):
        if any(isinstance(move, Shake) for move in plan.moves):
            continue
        told = story(plan).stretches
        path = trajectory_of(replace(plan, rate=60.0, duration=plan.duration + 1.0 / 60.0))
        motion = camera_motion(path)
        for axis, name in enumerate(AXES):
            seen = 0.0
            for stretch in (s for s in told if BY_NAME[s.motion].axis == name):
                ends = [stretch.start, stretch.end]
                amount = np.diff(np.interp(ends, motion.times, motion.position[:, axis])).item()
                assert np.sign(amount) == BY_NAME[stretch.motion].sign, (plan.name, stretch)
                seen += abs(amount)
            way = np.abs(np.diff(motion.position[:, axis])).sum()
            assert seen == pytest.approx(way, rel=0.03, abs=1e-3), plan.name


@pytest.mark.parametrize("split", SPLITS)
def test_opposites_and_stillness_exclude_each_other(split):
    for plan in plans(split):
        told = story(plan)
        assert all(0.0 <= s.start < s.end <= plan.duration for s in told.stretches)
        for axis in AXES:
            ordered = [s for s in told.stretches if BY_NAME[s.motion].axis == axis]
            assert all(one.end <= other.start + TICK for one, other in pairwise(ordered))
        moves = [s for s in told.stretches if s.motion in DIRECTIONS]
        for hold in (s for s in told.stretches if s.motion == "static"):
            assert all(hold.end <= m.start + TICK or m.end <= hold.start + TICK for m in moves), (
                plan.name
            )


def of(plan: ClipPlan, motion: str) -> list[tuple[float, float, bool]]:
    return [(s.start, s.end, s.sure) for s in story(plan).stretches if s.motion == motion]


def test_an_eased_move_is_seen_from_a_tenth_of_its_peak_on():
    eased = ClipPlan("a", "room", (Move("pan_left", 10.0, 1.0, 3.0, eased=True),), duration=4.0)
    ((start, end, sure),) = of(eased, "pan_left")
    # 4 s (1 - s) = 0.1 at s = 0.0257 of two seconds.
    assert (start, end) == pytest.approx((1.051, 2.949), abs=0.01)
    assert sure
    abrupt = replace(eased, moves=(Move("pan_left", 10.0, 1.0, 3.0),))
    ((start, end, _),) = of(abrupt, "pan_left")
    assert (start, end) == pytest.approx((1.0, 3.0), abs=0.01)


def test_stillness_must_be_named_when_it_is_long_and_really_still():
    def holding(seconds: float, *more: Shake) -> list[tuple[float, float, bool]]:
        moves = (Move("pan_left", 10.0, 0.0, 1.0), Move("pan_left", 10.0, 1.0 + seconds, 3.0))
        return of(ClipPlan("a", "room", (*moves, *more), duration=3.0), "static")

    assert holding(0.1) == []
    assert [sure for *_, sure in holding(0.5)] == [False]
    assert [sure for *_, sure in holding(1.0)] == [True]
    assert [sure for *_, sure in holding(1.0, Shake(0.5))] == [False]


def test_an_arc_stands_beside_its_travel_and_its_turn_need_not_be_named():
    plan = ClipPlan("a", "room", (Move("arc_cw", 20.0, 0.0, 2.0),), duration=3.0)
    turn, travel = COMBINED["arc_cw"]
    sure = {s.motion: s.sure for s in story(plan).stretches}
    assert sure == {"arc_cw": True, travel: True, turn: False, "static": True}


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="unknown split"):
        plans("tune")


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_no_camera_leaves_its_world(split):
    """With every wall white, any dark pixel is a hole in the world or a way out of it."""
    for world in sorted({plan.world for plan in plans(split)} & set(WORLDS)):
        for layout in (0, 1):
            place = scene(world, sequences.seed_of(split) + layout)
            white = np.full((8, 8, 3), 255, np.uint8)
            bare = [replace(p, texture=white, mipmaps=()) for p in place.panels if p.shell]
            for plan in plans(split):
                if (plan.world, plan.layout) == (world, layout):
                    path = trajectory_of(replace(plan, size=(160, 90), rate=1.0))
                    for picture in render(path, replace(place, panels=tuple(bare)), Look()):
                        assert picture.min() == 255, plan.name


@pytest.mark.slow
def test_clips_come_with_labels_and_segments(tmp_path: Path, monkeypatch):
    move = Move("pan_left", 10.0, 0.0, 1.0)
    plan = ClipPlan("a", "flat", (move,), duration=2.0, rate=4.0, size=(96, 54))
    monkeypatch.setattr("benchmarks.sequences.plans", lambda split: (plan,))
    assert rendered_sequences(tmp_path, SPLITS[0]).exists()
    (clip,) = read_truth(tmp_path)
    assert clip.path.exists()
    assert clip.answers["pan_left"]
    pan, hold = read_stories(tmp_path)["a.mp4"].stretches
    assert pan == Stretch("pan_left", 0.0, pytest.approx(1.0, abs=0.01))
    assert (hold.motion, hold.end, hold.sure) == ("static", 2.0, True)
