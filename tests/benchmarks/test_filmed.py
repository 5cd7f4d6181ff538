import csv
import json
from collections import Counter
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.filmed import LAYOUTS, plans
from benchmarks.plan import ClipPlan, trajectory_of, truth
from benchmarks.rendered import plans as plans_of
from benchmarks.rendered import rendered_clips, seed_of
from dollygrip.classifiers.labels import DEFINITIONS, DIRECTIONS
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.rotations import log
from dollygrip.geometry.synthetic import SIGNED_AXES
from dollygrip.runners.rendering import render
from dollygrip.runners.scenery import WORLDS, Scene, scene

SPLITS = ("filmed-train", "filmed")


@lru_cache
def clips_of(split: str) -> tuple[ClipPlan, ...]:
    return plans_of(split)


@pytest.fixture(scope="module")
def clips() -> tuple[ClipPlan, ...]:
    return clips_of("filmed")


@pytest.fixture(scope="module")
def flat() -> Scene:
    return scene("flat", 1)


def test_a_seed_makes_the_same_clips_and_more_of_them_change_none():
    few, more = plans("a", 3, seed=1), plans("a", 5, seed=1)
    for one, other in zip(few, more[:3], strict=True):
        assert one.name == other.name
        assert one.moves == other.moves
        assert one.look == other.look
    assert plans("a", 3, seed=2)[0].moves != few[0].moves


def test_clips_are_short_small_and_of_all_kinds(clips):
    assert len({plan.name for plan in clips}) == len(clips)
    assert {plan.world for plan in clips} == set(WORLDS)
    assert all(1.5 <= plan.duration < 4.0 and max(plan.size) <= 480 for plan in clips)
    assert all(side % 2 == 0 for plan in clips for side in plan.size)
    assert any(plan.size == (256, 256) and plan.rate == 8.0 for plan in clips)
    assert any(plan.size[0] < plan.size[1] for plan in clips)
    for effect in ("warp", "noise", "rolling", "shutter", "letterbox", "logo", "flicker"):
        assert 0 < sum(bool(getattr(plan.look, effect)) for plan in clips) < len(clips), effect
    subjects = Counter(plan.subject for plan in clips)
    assert min(subjects[share] for share in ("none", "some", "dominant")) > 10


def test_the_splits_hold_every_label_and_no_clip_of_each_other():
    counted = []
    for split in SPLITS:
        found = [truth(plan) for plan in clips_of(split)]
        present = Counter(name for marks in found for name, mark in marks.items() if mark == "yes")
        assert set(present) == {definition.name for definition in DEFINITIONS}
        assert sum("unsure" in marks.values() for marks in found) > 20
        counted.append(len(found))
    assert counted == [300, 150]
    moves = [{plan.moves for plan in clips_of(split) if plan.moves} for split in SPLITS]
    assert not moves[0] & moves[1]


def test_marks_are_those_of_what_the_camera_did(clips):
    for plan in clips:
        marks, path = truth(plan), trajectory_of(plan)
        profile = motion_profile(path)
        for name in DIRECTIONS:
            axis, _ = SIGNED_AXES[name]
            if marks[name] == "yes":
                assert profile.path[AXES.index(axis)] > 0.02, plan.name
        if marks["static"] == "yes":
            assert np.degrees(np.abs(log(path.rotations)).max()) < 1.0


def test_follow_shots_have_their_subject(clips, flat):
    followed = [plan for plan in clips if any("tracking" in tag for tag in plan.tags)]
    assert followed
    for plan in followed[:5]:
        (actor,) = plan.cast(flat)
        assert actor.tracked or "pan-tracking" in plan.tags


@pytest.mark.slow
@pytest.mark.parametrize("world", sorted(WORLDS))
def test_no_camera_leaves_its_world(world):
    """With every wall white, any dark pixel is a hole in the world or a way out of it."""
    of_world = [plan for plan in clips_of("filmed") if plan.world == world]
    for layout in range(LAYOUTS):
        place = scene(world, seed_of("filmed") + layout)
        white = np.full((8, 8, 3), 255, np.uint8)
        bare = tuple(
            replace(panel, texture=white, mipmaps=()) for panel in place.panels if panel.shell
        )
        for plan in (plan for plan in of_world if plan.layout == layout):
            shrunk = tuple(round(120 * side / max(plan.size)) for side in plan.size)
            path = trajectory_of(replace(plan, size=shrunk, rate=2.0))
            for picture in render(path, replace(place, panels=bare)):
                assert picture.min() == 255, plan.name


def test_a_split_comes_with_all_labels_and_segments(tmp_path, monkeypatch):
    few = tuple(
        replace(plan, duration=0.4, rate=10.0, size=(96, 54), enlarged=1)
        for plan in clips_of("filmed")
        if plan.world == "flat"
    )[:2]
    monkeypatch.setattr("benchmarks.rendered.plans", lambda split: few)
    labels = rendered_clips(tmp_path, "filmed")
    with labels.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    for row in rows:
        answers = {row[definition.name] for definition in DEFINITIONS}
        assert answers <= {"yes", "no", "unsure"}
        assert row["steadiness"] in ("static", "smooth", "shaky")
    lines = (tmp_path / "segments.jsonl").read_text(encoding="utf-8").splitlines()
    told = {line["clip"]: line["segments"] for line in map(json.loads, lines)}
    assert set(told) == {row["clip"] for row in rows}
    for segments in told.values():
        assert all(0.0 <= s["start"] < s["end"] <= 0.4 + 1e-6 for s in segments)
