"""What the networks that are shipped say of exact paths, and which files may stand in for them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.evidence import read
from dollygrip.classifiers.features import (
    CRITERIA,
    LABEL_FEATURES,
    MOMENT_FEATURES,
    TRUST_FEATURES,
)
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, DIRECTIONS, opposite_of
from dollygrip.classifiers.learned import LearnedClassifier, LearnedSettings
from dollygrip.classifiers.network import MOST_BYTES, Network, to_bytes
from dollygrip.classifiers.reliability import LOOKALIKES, Failure, Reason
from dollygrip.classifiers.shipped import shipped
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

# A move that anybody would name, per axis.
CLEAR = {
    "pan": 20.0,
    "tilt": 15.0,
    "roll": 15.0,
    "truck": 0.4,
    "pedestal": 0.3,
    "dolly": 0.4,
    "zoom": 0.35,
}
# What each combined move is made of.
AT_ONCE = {
    "arc_cw": {"pan": 30.0, "truck": -0.5},
    "arc_ccw": {"pan": -30.0, "truck": 0.5},
    "crane_up": {"pedestal": 0.4, "tilt": -20.0},
    "crane_down": {"pedestal": -0.4, "tilt": 20.0},
    "dolly_zoom_in": {"zoom": 0.4, "dolly": -0.4},
    "dolly_zoom_out": {"zoom": -0.4, "dolly": 0.4},
}
WAYS = {"left": "right", "up": "down", "in": "out", "cw": "ccw"}
WAYS |= {back: there for there, back in WAYS.items()}

# Mixtures of a few moves, from invisible to clear, in either direction.
MIXTURES = st.dictionaries(st.sampled_from(AXES), st.floats(-1.5, 1.5), max_size=3).map(
    lambda shares: {axis: share * CLEAR[axis] for axis, share in shares.items()}
)


def amounts(name: str) -> dict[str, float]:
    if name in AT_ONCE:
        return AT_ONCE[name]
    definition = BY_NAME[name]
    return {definition.axis: definition.sign * CLEAR[definition.axis]}


def backwards(name: str) -> str:
    stem, _, way = name.rpartition("_")
    return f"{stem}_{WAYS[way]}" if way in WAYS else name


def mirrored(name: str) -> str:
    return backwards(name) if name.rpartition("_")[2] in ("left", "right", "cw", "ccw") else name


def read_as(*seen: tuple[str, float, Trajectory]) -> list[Hypothesis]:
    """Explanations of a shot: model, probability, path."""
    return [Hypothesis(model, probability, path) for model, probability, path in seen]


# What is named.


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_alone_is_named_and_nothing_else(path, learned, name):
    shot = learned(path(**amounts(name)))
    assert shot.labels == (name,)
    assert not shot.ambiguous
    assert not shot.doubts


@pytest.mark.parametrize("name", COMBINED)
def test_combined_moves_are_named_with_their_parts(path, learned, name):
    assert set(learned(path(**amounts(name))).labels) == {name, *COMBINED[name]}


def test_the_other_way_round_is_no_combined_move(path, learned):
    assert set(learned(path(pan=30.0, truck=0.5)).labels) == {"pan_right", "truck_right"}


def test_a_still_camera_is_static(path, learned):
    shot = learned(path())
    assert shot.labels == ("static",)
    assert [segment.motion for segment in shot.segments] == ["static"]


@pytest.mark.parametrize("moving", [False, True])
def test_a_trembling_camera_is_shaky_and_goes_where_it_goes(path, learned, moving):
    random = np.random.default_rng(0)
    smooth = path(pan=20.0 if moving else 0.0)
    turns = exp(np.radians(random.normal(0.0, 0.8, (len(smooth), 3))))
    shaken = Trajectory.from_poses(
        smooth.times,
        np.concatenate([smooth.rotations @ turns, smooth.centers[:, :, None]], axis=2),
        size=smooth.size,
        scene_depth=1.0,
    )
    assert learned(shaken).labels == (("pan_right", "shaky") if moving else ("shaky",))


@pytest.mark.parametrize(
    "move",
    [
        *map(amounts, (*DIRECTIONS, *COMBINED)),
        {},
        {"pan": 20.0, "zoom": 0.3},
        {"dolly": 0.5, "tilt": -12.0},
        {"truck": 0.6, "dolly": 0.1},
    ],
    ids=str,
)
def test_of_what_is_clear_the_rules_say_the_same(path, learned, label, move):
    assert learned(path(**move)).labels == label(path(**move)).labels


# What does not matter, and what swaps.


@given(MIXTURES)
@settings(max_examples=15)
def test_a_mirror_swaps_left_and_right(path, learned, mixture):
    seen = path(fps=8.0, seconds=3.0, **mixture)
    plain, other = learned(seen), learned(seen.mirrored())
    assert {mirrored(name) for name in plain.labels} == {*other.labels}
    for d in DEFINITIONS:
        assert other.scores[mirrored(d.name)] == pytest.approx(plain.scores[d.name], abs=1e-9)
    assert other.trust == pytest.approx(plain.trust, abs=1e-9)


@given(MIXTURES)
@settings(max_examples=15)
def test_running_time_backwards_swaps_opposites(path, learned, mixture):
    """All but combined moves: a rise in an arc is no arc played backwards."""
    seen = path(fps=8.0, seconds=3.0, **mixture)
    there, back = learned(seen), learned(seen.reversed())
    for name in ("static", "shaky", *DIRECTIONS):
        assert back.scores[backwards(name)] == pytest.approx(there.scores[name], abs=1e-6)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_move_played_backwards_is_its_opposite(path, learned, name):
    assert learned(path(**amounts(name)).reversed()).labels == (opposite_of(name),)


@given(
    MIXTURES,
    st.floats(1e-3, 1e3),
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    st.tuples(*[st.floats(-100.0, 100.0)] * 3),
)
@settings(max_examples=15)
def test_world_and_unit_do_not_matter(path, learned, mixture, scale, turn, shift):
    seen = path(fps=8.0, seconds=3.0, **mixture)
    world = exp(np.array(turn))
    poses = np.concatenate(
        [world @ seen.rotations, (scale * (seen.centers @ world.T + shift))[:, :, None]], axis=2
    )
    moved = Trajectory.from_poses(
        seen.times, poses, size=seen.size, focals=seen.focals, scene_depth=scale
    )
    plain, other = learned(seen), learned(moved)
    for d in DEFINITIONS:
        assert other.scores[d.name] == pytest.approx(plain.scores[d.name], abs=1e-3)


@pytest.mark.parametrize("name", [*DIRECTIONS, *COMBINED])
def test_frame_rate_and_duration_do_not_matter(path, learned, name):
    move = amounts(name)
    plain = learned(path(seconds=4.0, fps=12.0, **move)).labels
    for seconds, fps in ((4.0, 6.0), (4.0, 30.0), (2.0, 8.0), (15.0, 8.0)):
        assert learned(path(seconds=seconds, fps=fps, **move)).labels == plain


# Scores.


@given(MIXTURES, MIXTURES, st.floats(0.0, 1.0))
@example(AT_ONCE["arc_cw"], {"pan": 30.0, "dolly": 0.4}, 0.6)
@example(AT_ONCE["arc_cw"], {"truck": 0.5}, 0.5)
@example({"zoom": 0.4, "dolly": -0.4}, {"dolly": 0.4}, 0.55)
@settings(max_examples=15)
def test_scores_are_bounded_and_no_whole_is_surer_than_its_parts(path, learned, one, other, share):
    seen = [path(fps=8.0, seconds=3.0, **mixture) for mixture in (one, other)]
    shot = learned(*seen, probabilities=(share, 1.0 - share))
    assert {*shot.scores} == {d.name for d in DEFINITIONS}
    assert all(0.0 <= score <= 1.0 for score in shot.scores.values())
    assert 0.0 <= shot.trust <= 1.0
    assert "static" not in shot.labels or shot.labels == ("static",)
    assert {*shot.labels} <= {name for name, score in shot.scores.items() if score >= 0.5}
    for name, parts in COMBINED.items():
        assert shot.scores[name] <= min(shot.scores[part] for part in parts)
    for pair in shot.ambiguous:
        assert not {*pair} <= {*shot.labels}


# When.


def test_segments_are_inside_the_shot_and_by_the_times_of_the_rules(sequence, learned, label):
    seen = sequence((1.0, {}), (2.0, {"pan": 20.0}), (1.0, {}))
    shot = learned(seen)
    assert [(s.motion, s.start, s.end) for s in shot.segments] == [
        (s.motion, s.start, s.end) for s in label(seen).segments
    ]
    for segment in shot.segments:
        assert 0.0 <= segment.start < segment.end <= 4.0
        assert 0.0 < segment.score <= 1.0
    (move,) = (s for s in shot.segments if s.motion == "pan_right")
    assert (move.start, move.end) == (pytest.approx(1.0, abs=0.3), pytest.approx(3.0, abs=0.3))
    assert move.score <= shot.scores["pan_right"]


def test_a_pan_that_turns_into_a_tilt_has_two_segments(sequence, learned):
    shot = learned(sequence((2.0, {"pan": 20.0}), (2.0, {"tilt": 15.0})))
    assert shot.labels == ("pan_right", "tilt_up")
    assert [s.motion for s in shot.segments] == ["pan_right", "tilt_up"]
    pan, tilt = shot.segments
    assert (pan.start, tilt.end) == (0.0, 4.0)
    assert pan.end == pytest.approx(2.0, abs=0.2)
    assert tilt.start == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_along_is_high_during_a_move_and_low_outside(sequence, name):
    seen = sequence((2.0, {}), (2.0, amounts(name)), (2.0, {}))
    readings = read(read_as(("all", 1.0, seen)), CRITERIA)
    times = np.linspace(0.0, 6.0, 61)
    (now,) = LearnedClassifier().along(readings, (name, "static"), times).values()
    assert now.shape == times.shape
    assert ((now >= 0.0) & (now <= 1.0)).all()
    inside = (times > 2.3) & (times < 3.7)
    outside = (times < 1.7) | (times > 4.3)
    assert now[inside].min() > 0.7
    assert now[outside].max() < 0.3


# What cannot be told apart.


@pytest.mark.parametrize("pair", sorted(LOOKALIKES))
@pytest.mark.parametrize("first", [0.45, 0.5, 0.55])
def test_lookalikes_are_ambiguous_with_the_evidence_in_numbers(path, pair, first):
    turn, travel = (path(sigma=0.01, **amounts(name)) for name in pair)
    model = "rotation+zoom" if pair[0].startswith("zoom") else "rotation"
    shot = LearnedClassifier().classify(
        read_as((model, first, turn), ("rotation+translation", 1.0 - first, travel)),
        start=0.0,
        end=4.0,
        diagnostics={"depth_spread": 0.1},
    )
    assert shot.ambiguous == (pair,)
    (doubt,) = shot.doubts
    assert doubt.reason is LOOKALIKES[pair]
    told = {name: shot.attributes[name] for name in ("parallax", "depth_spread", "focal_sigma")}
    assert told["depth_spread"] == 0.1
    assert 0.0 < told["parallax"] < 0.1
    assert told["focal_sigma"] > 0.0
    numbers = (f"{first:.2f}", f"{1.0 - first:.2f}", f"{told['parallax']:.1%}", "0.10")
    for number in (*numbers, f"{told['focal_sigma']:.1%}"):
        assert number in doubt.message
    assert len({*shot.labels} & {*pair}) == 1
    assert "cannot tell which" in shot.caption


def test_what_is_not_known_is_not_told(path):
    shot = LearnedClassifier().classify(
        read_as(("rotation", 0.5, path(pan=20.0)), ("all", 0.5, path(truck=0.4))),
        start=0.0,
        end=4.0,
    )
    assert shot.attributes["parallax"] is shot.attributes["depth_spread"] is None
    assert shot.doubts[0].message.endswith("too little parallax to tell.")


def test_one_explanation_is_not_ambiguous(path, learned):
    assert not learned(path(pan=20.0), path(truck=0.4), probabilities=(0.95, 0.05)).ambiguous
    assert not learned(path(pan=20.0, truck=0.4)).ambiguous


# Trust.


def test_split_explanations_are_trusted_less(path, learned):
    sure = learned(path(pan=20.0))
    split = learned(path(pan=20.0), path(), probabilities=(0.6, 0.4))
    assert split.trust < sure.trust - 0.02


def test_a_doubt_takes_a_fifth_off_the_trust(path, learned):
    seen = path(pan=20.0)
    damaged = Failure(Reason.DECODE_ERROR, "Damaged near the end.")
    sure = learned(seen)
    for count in (1, 2):
        unsure = learned(seen, doubts=[damaged] * count)
        assert unsure.trust == pytest.approx(0.8**count * sure.trust)
        assert (unsure.labels, unsure.scores) == (sure.labels, sure.scores)
        assert unsure.doubts == (damaged,) * count


@pytest.mark.parametrize(
    "diagnostics",
    [
        None,
        {},
        {"explained": 0.7, "still_share": None, "texture": None, "points": None},
        {"explained": None, "moving_share": None, "depth_spread": None},
        {"explained": {}, "still_share": 0.0},
        {"explained": {"rotation": 0.9}, "moving_share": 0.2, "points": 300},
        {"explained": {"unheard of": 0.5}, "anything": {"else": [1, None]}},
    ],
    ids=str,
)
def test_odd_diagnostics_change_no_clear_label(path, learned, diagnostics):
    shot = learned(path(pan=20.0), diagnostics=diagnostics)
    assert shot.labels == ("pan_right",)
    assert shot.diagnostics == (diagnostics or {})
    assert 0.0 <= shot.trust <= 1.0
    json.dumps(shot.to_dict(), allow_nan=False)


def test_no_poses_is_a_failure(path, learned):
    seen = path()
    lost = replace(seen, valid=np.arange(len(seen)) < 1)
    shot = learned(lost)
    assert shot.failure is not None
    assert shot.failure.reason is Reason.FEW_FRAMES_REGISTERED
    assert (shot.labels, shot.scores, shot.segments, shot.trust) == ((), {}, (), 0.0)


# Weights.


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Writes weights as the package ships them, changed."""

    def write(change: Callable[[dict, dict], None] = lambda networks, recipe: None) -> str:
        networks, recipe = dict(shipped()[0]), json.loads(json.dumps(dict(shipped()[1])))
        change(networks, recipe)
        file = tmp_path / "own.safetensors"
        file.write_bytes(to_bytes(networks, recipe))
        return str(file)

    return write


def inverted(network: Network) -> Network:
    return network.recalibrated(-1.0, 0.0, np.zeros(network.width))


def test_the_shipped_networks_look_at_the_features_of_this_version():
    networks, recipe = shipped()
    expected = {
        "labels": LABEL_FEATURES,
        "moments": MOMENT_FEATURES,
        "trust": TRUST_FEATURES,
        "trust_threshold": TRUST_FEATURES,
    }
    assert {*networks} == {*expected}
    for name, told in expected.items():
        assert tuple(recipe["questions"][name]["features"]) == told
        assert networks[name].width == len(told)


@pytest.mark.parametrize("refitted", [False, True])
def test_own_weights_answer(path, written, refitted):
    def change(networks, recipe):
        networks["labels"] = inverted(networks["labels"])
        if refitted:
            origin = dict(recipe)
            recipe.clear()
            recipe["started from"] = origin

    file = written(change)
    own = LearnedClassifier(LearnedSettings(weights=file))
    plain = LearnedClassifier()
    hypotheses = read_as(("rotation", 1.0, path(pan=20.0)))
    said = own.classify(hypotheses, start=0.0, end=4.0)
    assert said.scores["pan_right"] < 0.1
    assert plain.classify(hypotheses, start=0.0, end=4.0).scores["pan_right"] > 0.9
    assert own.settings.digest == (
        hashlib.blake2b(Path(file).read_bytes(), digest_size=8).hexdigest()
    )
    assert own.settings.digest != plain.settings.digest


def test_networks_that_a_file_lacks_are_those_that_are_shipped(written):
    def change(networks, recipe):
        for name in ("moments", "trust", "trust_threshold"):
            del networks[name]

    own = LearnedClassifier(LearnedSettings(weights=written(change)))
    for name in ("moments", "trust"):
        assert own.networks[name] is shipped()[0][name]


def test_a_file_that_is_not_there(tmp_path):
    file = tmp_path / "none.safetensors"
    with pytest.raises(ValueError, match=r"weights \S*none.safetensors cannot be read: No such"):
        LearnedSettings(weights=str(file))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        LearnedSettings(weights=str(tmp_path))


def test_weights_that_have_changed_are_refused(written):
    file = written()
    before = LearnedSettings(weights=file)
    assert LearnedSettings(weights=file, digest=before.digest) == before
    classifier = LearnedClassifier(before)
    written(lambda networks, recipe: networks.update(labels=inverted(networks["labels"])))
    with pytest.raises(ValueError, match=r"own.safetensors are \w+, not \w+: they have changed"):
        LearnedSettings(weights=file, digest=before.digest)
    with pytest.raises(ValueError, match=r"own.safetensors .*have changed"):
        _ = classifier.networks
    with pytest.raises(ValueError, match=r"of this version are \w+, not beef"):
        LearnedSettings(digest="beef")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\xff" * 100,
        (2).to_bytes(8, "little") + b"{}",
        (1 << 62).to_bytes(8, "little") + b"{}",
        (6000).to_bytes(8, "little") + b"[" * 6000,
        b"\x80\x04cos\nsystem\n",
    ],
    ids=["empty", "text", "ones", "no tensors", "long header", "deep header", "pickle"],
)
def test_a_file_that_holds_no_weights_is_one_clear_line(tmp_path, data):
    file = tmp_path / "bad.safetensors"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"weights \S*bad.safetensors holds no networks") as raised:
        LearnedSettings(weights=str(file))
    assert "\n" not in str(raised.value)


def test_a_huge_file_is_refused_unread(tmp_path):
    file = tmp_path / "huge.safetensors"
    with file.open("wb") as huge:
        huge.truncate(1 << 40)
    with pytest.raises(ValueError, match=f"huge.safetensors .* larger than {MOST_BYTES} bytes"):
        LearnedSettings(weights=str(file))


def _other_names(networks, recipe):
    recipe["questions"]["labels"]["features"][0] = "something else"


def _other_order(networks, recipe):
    recipe["questions"]["moments"]["features"].reverse()


def _narrower(networks, recipe):
    recipe["questions"]["trust"]["features"].pop()


def _other_width(networks, recipe):
    networks["labels"] = networks["trust"]


def _started_from_others(networks, recipe):
    origin = json.loads(json.dumps(recipe))
    origin["questions"]["labels"]["features"].pop()
    recipe["started from"] = origin


def _untold(networks, recipe):
    recipe.clear()


def _nonsense(networks, recipe):
    recipe["started from"] = 3


@pytest.mark.parametrize(
    "change",
    [
        _other_names,
        _other_order,
        _narrower,
        _other_width,
        _started_from_others,
        _untold,
        _nonsense,
    ],
    ids=lambda change: change.__name__.strip("_"),
)
def test_weights_of_other_features_are_refused(written, change):
    with pytest.raises(ValueError, match=r"own.safetensors are of another version.*dollygrip tra"):
        LearnedSettings(weights=written(change))
