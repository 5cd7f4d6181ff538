import csv
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from dollygrip.geometry.synthetic import SIGNED_AXES, Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.rendering import Look, make_samples, render, write_video
from dollygrip.runners.scenery import WORLDS, Panel, Scene, car, depths, person, scene, tree

SIZE = (320, 180)


@pytest.fixture(scope="module")
def worlds():
    made: dict[str, Scene] = {}

    def get(world: str, seed: int = 3) -> Scene:
        key = f"{world}{seed}"
        if key not in made:
            made[key] = scene(world, seed)
        return made[key]

    return get


def two_poses(*moves: Move) -> Trajectory:
    return camera_path(moves, duration=2.0, rate=1.0, size=SIZE)


def grey(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def tracked(first, last):
    """Corners (N, 2) of ``first`` and where optical flow finds them in ``last``."""
    corners = cv2.goodFeaturesToTrack(grey(first), 300, 0.02, 5)
    found, good, _ = cv2.calcOpticalFlowPyrLK(
        grey(first), grey(last), corners, None, winSize=(15, 15), maxLevel=4
    )
    back, _, _ = cv2.calcOpticalFlowPyrLK(
        grey(last), grey(first), found, None, winSize=(15, 15), maxLevel=4
    )
    kept = (np.linalg.norm(back - corners, axis=-1) < 0.3)[:, 0] & good[:, 0].astype(bool)
    return corners[kept, 0].astype(float), found[kept, 0].astype(float)


AMOUNTS = {"pan": 2.0, "tilt": 2.0, "roll": 4.0, "zoom": 0.06}
AMOUNTS |= {"truck": 0.03, "pedestal": 0.03, "dolly": 0.05}


@pytest.mark.parametrize("name", SIGNED_AXES)
def test_what_the_viewer_sees(name, worlds, seen_as):
    axis, _ = SIGNED_AXES[name]
    first, last = render(two_poses(Move(name, AMOUNTS[axis])), worlds("room"))
    before, after = tracked(first, last)
    assert len(before) > 50
    similarity, _ = cv2.estimateAffine2D(before, after)
    center = np.array(SIZE) / 2
    x, y = similarity @ [*center, 1.0] - center
    measured = {
        "x": x,
        "y": y,
        "turn": np.degrees(np.arctan2(similarity[1, 0], similarity[0, 0])),
        "size": 100.0 * (np.sqrt(np.linalg.det(similarity[:, :2])) - 1.0),
    }
    what, sign = seen_as[name]
    assert sign * measured[what] > 2.0


@pytest.mark.parametrize(
    "moves",
    [
        (Move("pan_right", 3.0), Move("tilt_up", 1.5)),
        (Move("roll_cw", 1.5),),
        (Move("zoom_in", 0.03), Move("tilt_down", 2.0)),
    ],
)
@pytest.mark.parametrize("world", ["street", "nature"])
def test_turning_and_zooming_move_every_pixel_as_computed(moves, world, worlds):
    """Whatever the depth: the picture is warped by one known homography."""
    path = two_poses(*moves)
    before, after = tracked(*render(path, worlds(world)))
    # OpenCV counts from the middle of the first pixel.
    rays = np.column_stack(
        [before + 0.5 - np.array(SIZE) / 2, np.full(len(before), path.focals[0])]
    )
    local = rays @ path.rotations[0].T @ path.rotations[1]
    expected = local[:, :2] / local[:, 2:] * path.focals[1] + np.array(SIZE) / 2 - 0.5
    assert len(before) > 60
    assert np.abs(np.median(after - expected, axis=0)).max() < 0.04
    assert np.median(np.linalg.norm(after - expected, axis=1)) < 0.12


def test_a_truck_past_a_wall_moves_it_by_focal_times_travel(worlds):
    path = two_poses(Move("truck_right", 0.02))
    before, after = tracked(*render(path, worlds("flat")))
    shift = np.median(after - before, axis=0)
    np.testing.assert_allclose(shift, [-0.02 * path.focals[0], 0.0], atol=0.08)


@pytest.mark.parametrize("world", ["room", "street", "landscape", "nature"])
def test_near_things_pass_faster_than_far_ones(world, worlds):
    before, after = tracked(*render(two_poses(Move("truck_right", 0.03)), worlds(world)))
    speed = before[:, 0] - after[:, 0]
    assert np.percentile(speed, 90) > 1.5 * max(np.percentile(speed, 10), 1.0)


def test_the_far_world_has_no_parallax(worlds):
    before, after = tracked(*render(two_poses(Move("truck_right", 0.03)), worlds("far")))
    speed = before[:, 0] - after[:, 0]
    assert np.percentile(speed, 90) < 1.25 * np.percentile(speed, 10)


@pytest.mark.parametrize("world", WORLDS)
def test_the_median_depth_is_one(world, worlds):
    seen = depths(worlds(world).panels)
    assert np.isfinite(seen).all()
    assert np.median(seen) == pytest.approx(1.0)


@pytest.mark.parametrize("world", WORLDS)
def test_no_holes(world, worlds):
    """With every texture white, any dark pixel is a hole or a seam."""
    made = worlds(world)
    white = [
        replace(panel, texture=np.full_like(panel.texture, 255), mipmaps=())
        for panel in made.panels
        if panel.shell
    ]
    moves = [Move("pan_left", 25.0), Move("tilt_up", 8.0), Move("dolly_in", 0.3)]
    path = camera_path(moves, duration=2.0, rate=3.0, size=SIZE)
    for picture in render(path, replace(made, panels=tuple(white))):
        assert picture.min() == 255


def test_unknown_worlds_are_refused():
    with pytest.raises(ValueError, match="expected one of room"):
        scene("moon", 0)


def test_scenes_repeat_by_seed_and_differ_between_seeds(worlds):
    path = camera_path([], duration=0.1, size=SIZE)
    first, again = next(render(path, worlds("room"))), next(render(path, scene("room", 3)))
    np.testing.assert_array_equal(first, again)
    other = next(render(path, worlds("room", 4)))
    assert np.abs(first.astype(int) - other).mean() > 10


def test_a_walker_moves_and_the_world_behind_stands_still(worlds):
    walker = person(1, 0.4, start=(-0.25, 0.2, 0.8), velocity=(0.25, 0.0, 0.0))
    path = camera_path([], duration=2.0, rate=4.0, size=SIZE)
    empty = next(render(path, worlds("flat"))).astype(int)
    spots = []
    for picture in render(path, worlds("flat").with_actors(walker)):
        covered = np.abs(picture - empty).sum(axis=-1) > 0
        assert 0.01 < covered.mean() < 0.3
        spots.append(np.median(np.nonzero(covered)[1]))
    assert (np.diff(spots) > 5).all()


def test_a_walker_is_part_of_the_world(worlds):
    walker = person(1, 0.4, start=(0.0, 0.2, 0.8), cadence=0.0)
    path = two_poses(Move("pan_right", 5.0))
    with_walker = render(path, worlds("flat").with_actors(walker))
    columns = [
        np.median(np.nonzero((picture != empty).any(axis=-1))[1])
        for picture, empty in zip(with_walker, render(path, worlds("flat")), strict=True)
    ]
    assert columns[1] - columns[0] == pytest.approx(-path.focals[0] * np.tan(np.radians(5)), abs=2)


def test_a_tracked_subject_keeps_its_place_and_size(worlds):
    """The camera backs away from somebody who follows."""
    walker = car(1, 0.3, start=(0.0, 0.2, 0.8), tracked=True)
    path = camera_path([Move("dolly_out", 0.5)], duration=2.0, rate=2.0, size=SIZE)
    followed = list(render(path, worlds("corridor").with_actors(walker)))
    empty = list(render(path, worlds("corridor")))
    masks = [(a != b).any(axis=-1) for a, b in zip(followed, empty, strict=True)]
    sizes = [mask.sum() for mask in masks]
    assert min(sizes) > 0.95 * max(sizes)
    assert np.abs(empty[0].astype(int) - empty[-1]).mean() > 1


def only(worlds, look: Look, *moves: Move, rate: float = 4.0):
    path = camera_path(moves, duration=1.0, rate=rate, size=SIZE)
    return list(render(path, worlds("street"), look))


def test_looks_change_what_they_say(worlds):
    plain = only(worlds, Look())
    assert np.mean(only(worlds, Look(exposure=0.2))[0]) < 0.25 * np.mean(plain[0])
    assert np.ptp([frame.mean() for frame in plain]) == 0
    assert np.ptp([frame.mean() for frame in only(worlds, Look(flicker=0.1))]) > 5
    drifted = [frame.mean() for frame in only(worlds, Look(drift=0.5))]
    assert drifted[-1] < 0.6 * drifted[0]
    noisy = only(worlds, Look(noise=10.0))
    assert 5 < np.std(noisy[0].astype(int) - plain[0]) < 15
    assert (noisy[0] != noisy[1]).any()
    assert (only(worlds, Look(rain=60))[0] != plain[0]).mean() > 0.01
    boxed = only(worlds, Look(letterbox=0.2))[0]
    assert boxed[:18].max() == boxed[-18:].max() == 0
    np.testing.assert_array_equal(boxed[20:160], plain[0][20:160])
    vignetted = only(worlds, Look(vignette=0.8))[0]
    assert vignetted[:10, :10].mean() < 0.4 * plain[0][:10, :10].mean()
    assert only(worlds, Look(gate=True))[0][:3, :3].max() < 10


def test_burnt_in_text_stays_while_the_camera_turns(worlds):
    frames = only(worlds, Look(logo=True, subtitles=True), Move("pan_right", 10.0))
    bare = only(worlds, Look(), Move("pan_right", 10.0))
    written = [(a != b).any(axis=-1) for a, b in zip(frames, bare, strict=True)]
    assert 0.003 < written[0].mean() < 0.1
    assert (written[0] & written[-1]).sum() > 0.9 * written[0].sum()


def test_an_open_shutter_blurs_along_the_move(worlds):
    def detail(frame, axis):
        return np.abs(np.diff(frame.astype(int), axis=axis)).mean()

    sharp = only(worlds, Look(), Move("pan_right", 6.0))[1]
    blurred = only(worlds, Look(shutter=0.9), Move("pan_right", 6.0))[1]
    assert detail(blurred, 1) < 0.7 * detail(sharp, 1)
    assert detail(blurred, 1) / detail(blurred, 0) < detail(sharp, 1) / detail(sharp, 0)


def test_a_wide_angle_lens_pulls_the_corners_in(worlds):
    bent = only(worlds, Look(barrel=0.2))[0]
    plain = only(worlds, Look())[0]
    middle = np.s_[85:95, 155:165]
    assert np.abs(bent[middle].astype(int) - plain[middle]).mean() < 12
    assert np.abs(bent[:20, :20].astype(int) - plain[:20, :20]).mean() > 15
    assert bent.min(axis=-1).max(axis=0).min() > 0


def test_a_fisheye_puts_equal_angles_at_equal_distances(worlds):
    """Turned by an angle, what was straight ahead moves by focal length times angle."""
    spot = np.zeros((64, 64, 3), np.uint8)
    spot[28:36, 28:36] = 255
    card = Panel(np.array([-0.5, -0.5, 1.0]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), spot)
    focal = 0.5 * SIZE[0]

    def column(look: Look, degrees: float) -> float:
        path = camera_path(
            [Move("pan_left", degrees)], duration=2.0, rate=1.0, size=SIZE, focal=focal
        )
        *_, last = render(path, Scene("card", (card,), 1.0), look)
        return float(np.average(np.arange(SIZE[0]) + 0.5, weights=last.sum(axis=(0, 2))))

    for degrees in (10.0, 25.0, 40.0):
        turn = np.radians(degrees)
        shift = column(Look(fisheye=True), degrees) - SIZE[0] / 2
        assert shift == pytest.approx(focal * turn, abs=1.0)
        assert column(Look(), degrees) - SIZE[0] / 2 == pytest.approx(
            focal * np.tan(turn), rel=0.05
        )


def test_a_fisheye_leaves_no_hole(worlds):
    path = camera_path([Move("roll_cw", 30.0)], duration=1.0, rate=2.0, size=SIZE, focal=155.0)
    for picture in render(path, worlds("room"), Look(fisheye=True)):
        assert picture.min(axis=-1).max(axis=0).min() > 0
        assert picture.min(axis=-1).max(axis=1).min() > 0


def test_a_fisheye_that_sees_half_the_world_is_refused(worlds):
    path = camera_path([], duration=1.0, rate=2.0, size=SIZE, focal=100.0)
    with pytest.raises(ValueError, match="too wide"):
        next(render(path, worlds("flat"), Look(fisheye=True)))


def test_a_rolling_shutter_leans_uprights_by_what_the_camera_turned_meanwhile():
    """Rows are read one after the other, the middle one at the time of the frame."""
    stripe = np.zeros((8, 256, 3), np.uint8)
    stripe[:, 124:132] = 255
    wall = Panel(np.array([-1.0, -1.0, 1.0]), np.array([2.0, 0, 0]), np.array([0, 2.0, 0]), stripe)
    path = camera_path([Move("pan_right", 12.0)], duration=1.0, rate=10.0, size=SIZE)
    turned = path.focals[0] * np.radians(12.0 / 9.0)

    def stripe_at(look: Look, row: int) -> float:
        frame = list(render(path, Scene("wall", (wall,), 1.0), look))[5]
        return float(np.average(np.arange(SIZE[0]), weights=frame[row].sum(axis=-1)))

    rolling = Look(rolling=0.8)
    middle = SIZE[1] // 2
    assert stripe_at(rolling, middle) == pytest.approx(stripe_at(Look(), middle), abs=0.5)
    for row in (5, SIZE[1] - 6):
        later = 0.8 * (row + 0.5 - SIZE[1] / 2) / SIZE[1]
        lean = stripe_at(rolling, row) - stripe_at(Look(), row)
        # A pan to the right carries the picture to the left.
        assert lean == pytest.approx(-later * turned, rel=0.1)


def test_a_rolling_shutter_leaves_a_still_camera_alone(worlds):
    plain, rolled = only(worlds, Look())[0], only(worlds, Look(rolling=0.9))[0]
    assert np.abs(plain.astype(int) - rolled).mean() < 0.7


def test_fades_begin_and_end_in_black(worlds):
    plain = [frame.mean() for frame in only(worlds, Look(), rate=11.0)]
    light = [frame.mean() for frame in only(worlds, Look(fade_in=0.5, fade_out=0.2), rate=11.0)]
    assert light[0] == light[-1] == 0
    assert (np.diff(light[:6]) > 0).all()
    np.testing.assert_allclose(light[6:8], plain[6:8], atol=0.01)
    faded_text = only(worlds, Look(logo=True, fade_in=0.5))[0]
    assert faded_text.max() == 0


def test_a_recording_that_hangs_shows_the_same_picture(worlds):
    look = Look(frozen=(0.25, 0.7), noise=4.0)
    frames = only(worlds, look, Move("pan_right", 9.0), rate=10.0)
    same = [np.array_equal(a, b) for a, b in pairwise(frames)]
    assert same == [False, False, False, True, True, True, False, False, False]


def test_an_exposure_that_hunts_swings_about_the_right_one(worlds):
    light = np.array([frame.mean() for frame in only(worlds, Look(exposure=0.5, pulsing=0.2))])
    still = np.mean(only(worlds, Look(exposure=0.5))[0])
    assert light.max() > 1.1 * still
    assert np.ptp(light) < 0.45 * still


def test_wind_bends_a_tree_whose_foot_stands(worlds):
    swaying = tree(3, 0.7, start=(0.0, 0.25, 0.9), cadence=0.5, bend=0.1)
    path = camera_path([], duration=2.0, rate=4.0, size=SIZE)
    empty = next(render(path, worlds("flat"))).astype(int)
    crowns, feet = [], []
    for picture in render(path, worlds("flat").with_actors(swaying)):
        rows, columns = np.nonzero(np.abs(picture - empty).sum(axis=-1) > 30)
        height = np.ptp(rows)
        crowns.append(np.mean(columns[rows < rows.min() + 0.3 * height]))
        feet.append(np.mean(columns[rows > rows.max() - 0.05 * height]))
    assert np.ptp(crowns) > 20
    assert np.ptp(feet) < 4


def test_a_file_keeps_times_size_and_pictures(tmp_path, worlds):
    path = camera_path([Move("pan_right", 4.0)], duration=1.0, rate=8.0, size=SIZE)
    frames = list(render(path, worlds("flat")))
    times = np.array([0.0, 0.1, 0.15, 0.35, 0.5, 0.52, 0.9, 1.7])
    write_video(tmp_path / "uneven.mp4", frames, times, crf=12)
    write_video(tmp_path / "poor.mp4", frames, times, crf=40)
    with av.open(str(tmp_path / "uneven.mp4")) as container:
        decoded = list(container.decode(video=0))
    np.testing.assert_allclose([float(frame.time) for frame in decoded], times, atol=1e-4)
    for frame, truth in zip(decoded, frames, strict=True):
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - truth).mean() < 4
    sizes = [(tmp_path / name).stat().st_size for name in ("poor.mp4", "uneven.mp4")]
    assert sizes[0] < 0.5 * sizes[1]


def test_a_shaken_camera_shakes_the_picture(worlds):
    path = camera_path([Shake(0.8, seed=2)], duration=1.0, rate=8.0, size=SIZE)
    frames = list(render(path, worlds("flat")))
    moved = [np.median(np.subtract(*tracked(frames[0], frame)), axis=0) for frame in frames[1:]]
    assert 1.0 < np.abs(moved).max() < 30.0


def test_near_things_hide_far_ones_and_cut_outs_show_what_is_behind_them():
    """Walls of plain colours: the hull, a pane whose right half is a hole, and a small card."""

    def wall(grey: int, depth: float, half: float, shell: bool = False, hole: bool = False):
        texture = np.full((64, 64, 4 if hole else 3), grey, np.uint8)
        if hole:
            texture[..., 3] = 255
            texture[:, 32:, 3] = 0
        origin = np.array([-half, -half, depth])
        edge = 2.0 * half
        return Panel(origin, np.array([edge, 0, 0]), np.array([0, edge, 0]), texture, shell)

    panels = (wall(150, 1.0, 0.4, hole=True), wall(90, 2.0, 0.1), wall(30, 4.0, 9.0, shell=True))
    path = camera_path((), duration=0.5, rate=4.0, size=(160, 160), focal=160.0)
    picture = next(render(path, Scene("walls", panels, 1.0)))
    assert picture[20:140, 20:76].min() == picture[20:140, 20:76].max() == 150
    assert picture[75:85, 82:86].min() == picture[75:85, 82:86].max() == 90
    assert picture[20:140, 92:140].min() == picture[20:140, 92:140].max() == 30


@pytest.mark.slow
def test_samples_come_with_their_truth(tmp_path):
    samples = make_samples(tmp_path / "samples")
    rows = list(csv.DictReader((tmp_path / "samples" / "labels.csv").open(encoding="utf-8")))
    assert [row["clip"] for row in rows] == [path.name for path, _ in samples]
    for row, (path, labels) in zip(rows, samples, strict=True):
        assert path.stat().st_size > 10_000
        present = {name for name, mark in row.items() if mark == "yes"}
        assert present == set(labels) - {"shaky"}


def test_a_warp_bends_a_still_picture_about_its_place(worlds):
    path = camera_path([], duration=2.0, rate=4.0, size=(320, 180))
    calm = [grey(picture) for picture in render(path, worlds("street"))]
    bent = [grey(picture) for picture in render(path, worlds("street"), Look(warp=0.01, seed=3))]
    flow = [
        cv2.calcOpticalFlowFarneback(one, two, None, 0.5, 3, 21, 3, 5, 1.1, 0)
        for one, two in zip(calm, bent, strict=True)
    ]
    # 1 percent of 320 pixels, no way in the mean, and elsewhere a second later.
    away = [float(np.sqrt((field**2).sum(axis=2).mean())) for field in flow]
    assert 1.2 < np.mean(away) < 5.0
    assert max(np.abs(field.mean(axis=(0, 1))).max() for field in flow) < 1.2
    assert np.abs(flow[4] - flow[0]).mean() > 0.5
    again = list(render(path, worlds("street"), Look(warp=0.01, seed=3)))
    assert np.array_equal(grey(again[2]), bent[2])
