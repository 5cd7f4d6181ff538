import csv
from dataclasses import replace

import av
import numpy as np
import pytest

from benchmarks.plan import ClipPlan, trajectory_of, truth
from benchmarks.rendered import COLUMNS, plans, rendered_clips, seed_of
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.synthetic import SIGNED_AXES
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import WORLDS, scene

# The others are drawn at random: tests/benchmarks/test_filmed.py.
DESIGNED = ("tune", "held-out", "stress-tune", "stress")


@pytest.mark.parametrize("split", DESIGNED)
def test_the_truth_is_what_the_camera_did(split):
    for plan in plans(split):
        profile = motion_profile(trajectory_of(plan))
        path, net = profile.path, profile.net
        marks = truth(plan)
        if marks["static"] == "yes":
            assert not path.any(), plan.name
        for name, (axis, sign) in SIGNED_AXES.items():
            column = AXES.index(axis)
            both_ways = {marks[n] for n, (a, _) in SIGNED_AXES.items() if a == axis} == {"yes"}
            if marks[name] == "yes":
                assert path[column] > 0, plan.name
                assert both_ways or sign * net[column] > 0, plan.name


@pytest.mark.parametrize("split", DESIGNED)
def test_every_move_is_seen_in_several_worlds(split):
    all_plans = plans(split)
    assert len({plan.name for plan in all_plans}) == len(all_plans) >= 120
    for name in ("static", *SIGNED_AXES):
        worlds = {plan.world for plan in all_plans if truth(plan)[name] == "yes"}
        assert len(worlds) >= 3, name


def test_the_splits_differ_in_speed_and_place():
    speeds = [
        {plan.name: trajectory_of(plan).centers[-1] for plan in plans(split)}
        for split in ("tune", "held-out")
    ]
    assert not np.array_equal(speeds[0]["truck_left_fast"], speeds[1]["truck_left_fast"])
    with pytest.raises(ValueError, match="expected one of tune"):
        plans("test")


def test_the_stress_splits_differ_in_every_regular_move():
    """No clip of one moves as a clip of the other does in the same world."""

    def moves(split):
        return {
            (plan.world, motion_profile(trajectory_of(plan)).net.round(6).tobytes())
            for plan in plans(split)
            if truth(plan)["static"] == "no" and "slow3" not in plan.tags
        }

    assert len(moves("stress")) > 70
    assert not moves("stress") & moves("stress-tune")


@pytest.mark.parametrize("split", ["stress-tune", "stress"])
def test_every_difficulty_is_met(split):
    tagged = {}
    for plan in plans(split):
        for tag in plan.tags:
            tagged.setdefault(tag, []).append(plan)
    least = {"still": 35, "slow3": 16, "pairs": 30, "ambiguous": 10, "fourcases": 16}
    least |= {"rolling-shutter": 4, "fisheye": 6, "whip": 4, "handheld": 6, "freeze": 3, "fade": 2}
    assert {tag: len(tagged[tag]) >= count for tag, count in least.items()} == dict.fromkeys(
        least, True
    )
    assert {plan.rate for plan in plans(split)} >= {12, 15, 24, 25, 30, 50, 60, 120}
    assert {plan.size[0] for plan in plans(split)} >= {160, 320, 640, 1280, 1920, 3840}
    assert all(truth(plan)["static"] == "yes" for plan in tagged["still"])
    for plan in tagged["ambiguous"]:
        assert sum(mark == "unsure" for mark in truth(plan).values()) in (1, 2), plan.name


@pytest.mark.parametrize("split", ["stress-tune", "stress"])
def test_slow_moves_move_the_picture_by_three_percent(split):
    """At the edge, at the depth of the scene: 3% of the width in three seconds."""
    for plan in (plan for plan in plans(split) if "slow3" in plan.tags):
        path = trajectory_of(plan)
        width, height = path.size
        edges = np.array([[-1, 0], [1, 0], [0, -height / width], [0, height / width]]) * width / 2
        rays = np.column_stack([edges, np.full(4, path.focals[0])]) / path.focals[0]
        seen = (rays - path.centers[-1]) @ path.rotations[-1]
        moved = path.focals[-1] * seen[:, :2] / seen[:, 2:] - edges
        share = np.linalg.norm(moved, axis=1).max() / width
        assert 0.025 < share < 0.045, plan.name
    with pytest.raises(ValueError, match="expected one of tune"):
        plans("test")


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("split", DESIGNED)
def test_no_camera_leaves_its_world(split, world):
    """With every wall white, any dark pixel is a hole in the world or a way out of it."""
    for layout in (0, 1):
        place = scene(world, seed_of(split) + layout)
        walls = [panel for panel in place.panels if panel.shell]
        white = np.full((8, 8, 3), 255, np.uint8)
        bare = tuple(replace(panel, texture=white, mipmaps=()) for panel in walls)
        for plan in plans(split):
            if (plan.world, plan.layout) == (world, layout):
                shrunk = tuple(round(160 * side / max(plan.size)) for side in plan.size)
                path = trajectory_of(replace(plan, size=shrunk, rate=2.0))
                lens = Look(fisheye=plan.look.fisheye)
                for picture in render(path, replace(place, panels=bare), lens):
                    assert picture.min() == 255, plan.name


def test_an_enlarged_clip_has_the_size_and_the_focal_length_of_its_file(tmp_path, monkeypatch):
    plan = ClipPlan("big", "flat", size=(320, 180), enlarged=2, focal=0.5, duration=0.2)
    monkeypatch.setattr("benchmarks.rendered.plans", lambda split: (plan,))
    rendered_clips(tmp_path, "stress")
    with av.open(str(tmp_path / "big.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (320, 180)
    with np.load(tmp_path / "big.npz") as stored:
        assert stored["focals"][0] == pytest.approx(160)


def test_clips_come_with_labels_and_trajectories(tmp_path, monkeypatch):
    few = tuple(plan for plan in plans("tune") if plan.name in ("static_corridor", "zoom_in_flat"))
    monkeypatch.setattr("benchmarks.rendered.plans", lambda split: few)
    labels = rendered_clips(tmp_path / "clips", "tune")
    with labels.open(encoding="utf-8") as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert set(next(iter(rows.values()))) == set(COLUMNS)
    assert rows["static_corridor.mp4"]["static"] == "yes"
    flat = rows["zoom_in_flat.mp4"]
    assert (flat["zoom_in"], flat["dolly_in"], flat["pan_left"]) == ("unsure", "unsure", "no")
    with np.load(tmp_path / "clips" / "zoom_in_flat.npz") as stored:
        assert stored["rotations"].shape == (len(stored["times"]), 3, 3)
        assert stored["scene_depth"] == pytest.approx(1.0, abs=0.01)
        assert stored["focals"][-1] > 1.2 * stored["focals"][0]
