from collections import Counter

import numpy as np
import pytest

from dollygrip.geometry.filming import STYLES, film
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.synthetic import SIGNED_AXES, Bob, Float, Move, Shake, camera_path


def shots(count: int = 300, **options):
    return [film(np.random.default_rng([9, index]), **options) for index in range(count)]


def signed(shot) -> set[str]:
    return {move.name for move in shot.moves if isinstance(move, Move)} & set(SIGNED_AXES)


def test_a_seed_is_a_shot():
    first, second = shots(20), shots(20)
    assert first == second
    assert len({shot.duration for shot in first}) == 20


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_can_be_filmed(style):
    for index in range(12):
        shot = film(np.random.default_rng(index), style=style, longest=4.0)
        path = shot.path()
        assert shot.style == style
        assert path.times[-1] < shot.duration <= 4.0
        assert np.abs(path.centers).max() < 6.0
        assert path.focals[0] == pytest.approx(shot.focal * 480)


def test_all_moves_are_filmed_to_either_side_alike():
    counts = Counter(name for shot in shots(1500) for name in signed(shot))
    assert set(counts) == set(SIGNED_AXES)
    for axis in AXES:
        if axis not in ("pedestal", "dolly"):
            one, other = (counts[name] for name, (own, _) in SIGNED_AXES.items() if own == axis)
            assert abs(one - other) < 4.0 * np.sqrt(one + other)


def test_speeds_reach_from_hardly_visible_to_a_whip():
    pans = [
        move.amount / ((shot.duration if move.end is None else move.end) - move.start)
        for shot in shots(1500)
        for move in shot.moves
        if isinstance(move, Move) and SIGNED_AXES.get(move.name, ("",))[0] == "pan"
    ]
    slow, fast = np.percentile(pans, [3, 97])
    assert slow < 1.0
    assert fast > 60.0
    assert 2.0 < np.median(pans) < 10.0


def test_some_cameras_stand_some_shake_and_some_moves_follow_each_other():
    drawn = shots(400)
    assert 0.05 < np.mean([not shot.moves for shot in drawn]) < 0.2
    assert 0.2 < np.mean([any(isinstance(m, Shake) for m in s.moves) for s in drawn]) < 0.7
    starts = [{m.start for m in s.moves if isinstance(m, Move)} for s in drawn]
    assert 0.05 < np.mean([len(start) > 1 for start in starts]) < 0.4


def test_followed_subjects_are_followed_by_travel_or_by_a_pan():
    for style, follows in (("lead", "dolly_out"), ("tail", "dolly_in")):
        shot = film(np.random.default_rng(2), style=style)
        assert shot.follows == style
        assert signed(shot) == {follows}
    assert {film(np.random.default_rng(i), style="single").follows for i in range(9)} == {""}


def test_travel_stays_within_reach():
    for shot in shots(150, longest=3.0, reach=0.4):
        for move in shot.moves:
            if isinstance(move, Move):
                travel = np.abs(move.position(np.linspace(0.0, shot.duration, 20))[:, 3:6])
                assert travel.max() <= 0.41


def test_what_cannot_be_filmed_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="unknown style 'opera', expected one of locked"):
        film(rng, style="opera")
    with pytest.raises(ValueError, match=r"at most 0\.5 s is too short"):
        film(rng, longest=0.5)


def test_a_float_is_slow_and_a_gait_is_in_step():
    times = np.arange(0.0, 20.0, 1.0 / 60.0)
    floating = Float(0.5, 0.01, seed=3).position(times)
    strength = np.abs(np.fft.rfft(floating - floating.mean(axis=0), axis=0)) ** 2
    hertz = np.fft.rfftfreq(len(times), 1.0 / 60.0)
    assert strength[hertz > 0.6].sum() < 0.02 * strength.sum()
    assert np.std(floating[:, 0]) == pytest.approx(0.5, rel=0.6)

    steps = Bob(0.4, 0.01, hertz=2.0).position(times)
    rises = np.abs(np.fft.rfft(steps[:, AXES.index("pedestal")]))
    sways = np.abs(np.fft.rfft(steps[:, AXES.index("truck")] - steps[:, 3].mean()))
    assert hertz[rises.argmax()] == pytest.approx(2.0, abs=0.06)
    assert hertz[sways.argmax()] == pytest.approx(1.0, abs=0.06)
    assert np.ptp(steps[:, AXES.index("tilt")]) == pytest.approx(0.8, rel=0.02)


def test_neither_leads_anywhere_by_itself():
    for motion in (Float(0.1, 0.001, seed=1), Bob(0.3, 0.005)):
        net = motion_profile(camera_path([motion], duration=6.0)).net
        assert np.abs(net).max() < 0.7
