import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.captions import caption
from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.records import Segment


def test_moves_are_told_in_order(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {"dolly": 0.4})))
    assert shot.caption == "The camera pans right, then pushes in; steady."


def test_moves_at_once_are_joined(path, label):
    shot = label(path(pan=20.0, zoom=0.3))
    assert shot.caption == "The camera pans right while zooming in; steady."
    three = label(path(pan=20.0, tilt=15.0, zoom=0.3))
    assert three.caption == "The camera pans right, tilts up and zooms in; steady."


def test_a_move_that_pauses_is_told_once():
    names = ("truck_left", "dolly_in", "truck_left", "truck_left")
    told = [Segment(name, 2.0 * k, 2.0 * k + 1.5, 0.9) for k, name in enumerate(names)]
    said = caption(("dolly_in", "truck_left"), told, (), "regular", "smooth")
    assert said == "The camera trucks left, then pushes in, then trucks left; steady."


def test_pace_is_told(path, label):
    assert label(path(seconds=12.0, pan=20.0)).caption == "The camera pans right slowly; steady."
    assert label(path(seconds=1.5, pan=60.0)).caption.startswith("The camera pans right fast")


def test_a_hold_is_told(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {})))
    assert shot.caption == "The camera pans right, then holds still; steady."


def test_parts_of_a_combined_move_are_not_repeated(path, label):
    assert label(path(pan=30.0, truck=-0.5)).caption == "The camera arcs clockwise; steady."


def test_still_and_shaking_cameras():
    assert caption(("static",), (), (), None, "static") == "The camera stands still."
    assert caption(("shaky",), (), (), None, "unsteady") == "The camera shakes but goes nowhere."
    assert caption((), (), (), None, "smooth") == "The camera makes no clear move."


def test_what_cannot_be_told_is_said():
    segments = (Segment("pan_right", 0.0, 4.0, 0.5),)
    said = caption(("pan_right",), segments, (("pan_right", "truck_right"),), "regular", "smooth")
    assert said == "The camera pans or trucks right; the pictures cannot tell which; steady."


# Words that claim a move, with the axis and direction they claim.
CLAIMS = {
    r"pan(s|ning) left": "pan_left",
    r"pan(s|ning) right": "pan_right",
    r"tilt(s|ing) up": "tilt_up",
    r"tilt(s|ing) down": "tilt_down",
    r"roll(s|ing) clockwise": "roll_cw",
    r"roll(s|ing) counter": "roll_ccw",
    r"truck(s|ing) left": "truck_left",
    r"truck(s|ing) right": "truck_right",
    r"mov(es|ing) up": "pedestal_up",
    r"mov(es|ing) down": "pedestal_down",
    r"push": "dolly_in",
    r"pull": "dolly_out",
    r"\bzoom(s|ing) in": "zoom_in",
    r"\bzoom(s|ing) out": "zoom_out",
    r"arc(s|ing) clockwise": "arc_cw",
    r"arc(s|ing) counter": "arc_ccw",
    r"stands still": "static",
    r"shak": "shaky",
}


@st.composite
def stories(draw):
    labels = draw(st.lists(st.sampled_from([d.name for d in DEFINITIONS]), unique=True))
    timed = [name for name in labels if name != "shaky" and draw(st.booleans())]
    segments = []
    for name in timed:
        begin = draw(st.floats(0.0, 9.0))
        segments.append(Segment(name, begin, begin + draw(st.floats(0.3, 5.0)), 0.9))
    return labels, sorted(segments, key=lambda s: s.start)


@given(stories())
@settings(max_examples=200)
def test_nothing_is_claimed_without_a_label(story):
    labels, segments = story
    said = caption(labels, segments, (), "slow", "smooth")
    assert re.fullmatch(r"The camera [a-z ,;-]+\.", said)
    for pattern, name in CLAIMS.items():
        if re.search(pattern, said.replace("dolly-zoom", "vertigo")):
            assert name in labels, said


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_has_words(path, label, name):
    definition = BY_NAME[name]
    amount = {"pan": 20.0, "tilt": 15.0, "roll": 15.0}.get(definition.axis, 0.4)
    said = label(path(**{definition.axis: definition.sign * amount})).caption
    claimed = {n for pattern, n in CLAIMS.items() if re.search(pattern, said)}
    assert claimed == {name}
