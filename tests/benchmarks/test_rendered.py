import csv

import numpy as np
import pytest

from benchmarks.rendered import COLUMNS, SPLITS, plans, rendered_clips, trajectory_of, truth
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.synthetic import SIGNED_AXES


@pytest.mark.parametrize("split", SPLITS)
def test_the_truth_is_what_the_camera_did(split):
    for plan in plans(split):
        path = motion_profile(trajectory_of(plan)).path
        net = motion_profile(trajectory_of(plan)).net
        marks = truth(plan)
        if marks["static"] == "yes":
            assert not path.any(), plan.name
        for name, (axis, sign) in SIGNED_AXES.items():
            column = AXES.index(axis)
            both_ways = {marks[n] for n, (a, _) in SIGNED_AXES.items() if a == axis} == {"yes"}
            if marks[name] == "yes":
                assert path[column] > 0, plan.name
                assert both_ways or sign * net[column] > 0, plan.name


@pytest.mark.parametrize("split", SPLITS)
def test_every_move_is_seen_in_several_worlds(split):
    all_plans = plans(split)
    assert len({plan.name for plan in all_plans}) == len(all_plans) >= 120
    for name in ("static", *SIGNED_AXES):
        worlds = {plan.world for plan in all_plans if truth(plan)[name] == "yes"}
        assert len(worlds) >= 3, name


def test_the_splits_differ_in_speed_and_place():
    speeds = [
        {plan.name: trajectory_of(plan).centers[-1] for plan in plans(split)} for split in SPLITS
    ]
    assert not np.array_equal(speeds[0]["truck_left_fast"], speeds[1]["truck_left_fast"])
    with pytest.raises(ValueError, match="expected one of tune"):
        plans("test")


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
