"""Captions read like English, follow the time, and claim nothing that has no label."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.captions import caption, failure_caption, shots_caption
from dollygrip.classifiers.labels import (
    BY_NAME,
    COMBINED,
    COMPLEXITY,
    DEFINITIONS,
    DIRECTIONS,
    SPEED,
    STEADINESS,
)
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.reliability import LOOKALIKES, Failure, Reason


def spans(*told):
    """Segments from (motion, start, end)."""
    return [Segment(motion, start, end, 0.9) for motion, start, end in told]


def said(*told, ambiguous=(), speed="regular", steadiness="very_smooth", shaky=False, **more):
    """The caption of moves at times, without its ending."""
    labels = [motion for motion, _, _ in told if motion != "static"] + ["shaky"] * shaky
    text = caption(labels, spans(*told), ambiguous, speed, steadiness, **more)
    return text.removesuffix("; the motion is very smooth.")


# --- the order of time ----------------------------------------------------------------------


def test_moves_are_told_in_order(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {"dolly": 0.4})))
    assert shot.caption.startswith("The camera pans right, then moves forward; ")


def test_moves_at_once_are_joined(path, label):
    shot = label(path(pan=20.0, zoom=0.3))
    assert shot.caption.startswith("The camera pans right while zooming in; ")
    three = label(path(pan=20.0, tilt=15.0, zoom=0.3))
    assert three.caption.startswith("The camera pans right, tilts up and zooms in; ")


def test_moves_that_share_a_verb_share_it():
    told = ("dolly_out", 0.0, 3.0), ("pedestal_down", 0.0, 2.9)
    assert said(*told) == "The camera moves backward and down"
    told = (*told, ("pan_left", 0.0, 2.5))
    assert said(*told) == "The camera moves backward and down while panning left"


def test_the_longer_move_comes_first():
    assert said(("pan_left", 0.0, 3.0), ("dolly_in", 0.0, 4.0)).endswith(
        "moves forward while panning left"
    )


def test_a_move_that_ends_early_is_told_so():
    told = ("pan_left", 0.0, 1.5), ("dolly_in", 0.0, 6.0)
    assert said(*told) == "The camera moves forward while panning left at first"


def test_a_move_that_joins_late_is_told_so():
    told = ("dolly_in", 0.0, 6.0), ("pan_left", 3.0, 6.0)
    assert said(*told) == "The camera moves forward, then also pans left"


def test_pauses_and_holds_are_told(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {})))
    assert shot.caption.startswith("The camera pans right, then stops; ")
    told = ("static", 0.0, 2.0), ("tilt_up", 2.0, 4.0), ("static", 4.0, 6.0), ("tilt_up", 6.0, 8.0)
    assert said(*told) == "The camera stands still, then tilts up, then pauses, then tilts up again"


def test_a_move_that_goes_on_is_told_once():
    names = ("truck_left", "dolly_in", "truck_left", "truck_left")
    told = [(name, 2.0 * k, 2.0 * k + 1.5) for k, name in enumerate(names)]
    assert said(*told) == "The camera trucks left, then moves forward, then trucks left again"


def test_a_long_story_is_a_list():
    names = ("tilt_down", "pan_right", "roll_cw", "pan_left", "tilt_down", "pan_right")
    told = [(name, 2.0 * k, 2.0 * k + 1.5) for k, name in enumerate(names)]
    assert said(*told) == (
        "The camera tilts down, pans right and left, and rolls clockwise, in turn"
    )


def test_a_move_without_a_time_is_told():
    assert caption(("pan_left",), (), (), "regular", "") == "The camera pans left."
    assert "tilting up" in caption(
        ("pan_left", "tilt_up"), spans(("pan_left", 0.0, 3.0)), (), "regular", "smooth"
    )


# --- moves made of two ----------------------------------------------------------------------


def test_parts_of_a_combined_move_are_not_repeated(path, label):
    shot = label(path(pan=30.0, truck=-0.5))
    assert shot.caption.startswith("The camera arcs clockwise; ")


@pytest.mark.parametrize("name", sorted(COMBINED))
def test_a_part_that_is_made_alone_later_is_told(name):
    turn, travel = COMBINED[name]
    both = [(motion, 0.0, 3.0) for motion in (name, turn, travel)]
    assert "then" not in said(*both)
    assert ", then " in said(*both, (turn, 4.0, 7.0))


# --- how ------------------------------------------------------------------------------------


def test_pace_is_told(path, label):
    assert label(path(seconds=12.0, pan=20.0)).caption.startswith("The camera slowly pans right;")
    assert label(path(seconds=1.5, pan=60.0)).caption.startswith("The camera quickly pans right;")


def test_each_move_has_its_own_pace():
    one_by_one = ("pan_right", 0.0, 2.0), ("dolly_in", 2.0, 9.0)
    paces = {"pan_right": "fast", "dolly_in": "slow"}
    assert said(*one_by_one, speeds=paces) == (
        "The camera quickly pans right, then slowly moves forward"
    )
    at_once = ("pan_right", 0.0, 2.0), ("dolly_in", 0.0, 2.0)
    assert said(*at_once, speeds=paces) == (
        "The camera quickly pans right while slowly moving forward"
    )
    alike = dict.fromkeys(paces, "slow")
    assert said(*at_once, speeds=alike) == "The camera slowly pans right while moving forward"


def test_the_pace_of_the_fastest_move_is_not_told_of_others():
    one_by_one = ("pan_right", 0.0, 2.0), ("dolly_in", 2.0, 9.0)
    assert "quickly" not in said(*one_by_one, speed="fast")
    assert said(*one_by_one, speed="slow").count("slowly") == 2


def test_an_arc_has_the_pace_of_its_parts():
    both = [(motion, 0.0, 3.0) for motion in ("arc_cw", "pan_right", "truck_left")]
    slow = {"pan_right": "slow", "truck_left": "slow"}
    assert said(*both, speeds=slow) == "The camera slowly arcs clockwise"
    mixed = said(*both, speeds=slow | {"truck_left": "regular"})
    assert mixed == "The camera arcs clockwise"
    assert said(*both, speed="slow") == "The camera slowly arcs clockwise"
    assert said(*both, speed="fast") == "The camera quickly arcs clockwise"


def test_small_moves_are_slight():
    assert said(("tilt_up", 0.0, 3.0), complexity="minor") == "The camera slightly tilts up"


@pytest.mark.parametrize(
    ("steadiness", "ending"),
    [
        ("very_smooth", "; the motion is very smooth."),
        ("smooth", "; the motion is smooth."),
        ("unsteady", "; the motion is slightly unsteady."),
        ("very_unsteady", "; the motion is very unsteady."),
    ],
)
def test_steadiness_is_told(steadiness, ending):
    told = ("pan_left", 0.0, 3.0)
    assert said(told, steadiness=steadiness).endswith(ending) or steadiness == "very_smooth"
    text = caption(("pan_left",), spans(told), (), "regular", steadiness)
    assert text == f"The camera pans left{ending}"
    shaken = said(told, steadiness=steadiness, shaky=True)
    assert shaken == "The camera pans left; the motion is shaky."


def test_cameras_without_a_move():
    assert caption(("static",), (), (), None, "static") == "The camera stands still."
    assert caption(("shaky",), (), (), None, "unsteady") == (
        "The camera shakes but makes no clear move."
    )
    assert caption((), (), (), None, "smooth") == "The camera makes no clear move."
    assert caption((), (), (), None, "smooth", complexity="minor") == "The camera barely moves."
    assert caption((), (), (), None, "unsteady") == (
        "The camera is unsteady but makes no clear move."
    )


# --- what cannot be told --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "pair", "words"),
    [
        ("pan_right", ("pan_right", "truck_right"), "pans or trucks right"),
        ("truck_right", ("pan_right", "truck_right"), "trucks or pans right"),
        ("zoom_out", ("zoom_out", "dolly_out"), "zooms out or moves backward"),
        ("pedestal_up", ("tilt_up", "pedestal_up"), "moves or tilts up"),
    ],
)
def test_what_cannot_be_told_is_said(label, pair, words):
    text = said((label, 0.0, 4.0), ambiguous=[pair])
    assert text == f"The camera {words} (the pictures cannot tell which)"


def test_doubt_stands_where_it_belongs():
    pair = [("zoom_in", "dolly_in")]
    doubt = "zooms in or moves forward (the pictures cannot tell which)"
    after = said(("zoom_in", 0.0, 2.0), ("pan_left", 2.0, 4.0), ambiguous=pair, speed="slow")
    assert after == f"The camera slowly {doubt}, then slowly pans left"
    # What is sure comes first, so that "or" does not reach over it.
    along = said(("zoom_in", 0.0, 4.0), ("pan_left", 0.0, 2.9), ambiguous=pair)
    doubted = doubt.replace("zooms", "zooming").replace("moves", "moving")
    assert along == f"The camera pans left while {doubted}"


def test_a_reading_that_the_labels_rule_out_is_only_a_doubt():
    told = ("dolly_in", 0.0, 4.0), ("zoom_out", 0.0, 4.0)
    text = said(*told, ambiguous=[("zoom_out", "dolly_out")])
    assert text == "The camera moves forward while zooming out (in doubt)"


# --- clips with cuts, and failures ----------------------------------------------------------


def test_shots_are_told_one_by_one():
    assert shots_caption([(2, "A.")]) == "Shot 2: A."
    assert shots_caption([(1, "A."), (2, "B.")]) == "Shot 1: A. Shot 2: B."
    like = [(1, "A."), (2, "A."), (3, "B."), (4, "B."), (5, "B."), (7, "B.")]
    assert shots_caption(like) == "Shots 1 and 2: A. Shots 3 to 5: B. Shot 7: B."
    assert shots_caption([]) == ""


def test_many_shots_are_cut_short():
    many = [(number, f"{number}.") for number in range(1, 101)]
    assert shots_caption(many).endswith("Shot 6: 6. And 94 more shots.")
    assert shots_caption(many[:7]).endswith("And 1 more shot.")


@given(st.text(max_size=2000))
def test_failures_are_one_short_line(message):
    text = failure_caption(Failure(Reason.MISSING, message))
    assert text.startswith("Could not tell:")
    assert len(text) < 400
    assert len(text.splitlines()) <= 1


# --- nothing without a label ----------------------------------------------------------------

WAYS = {
    "pan": ("pan", {"left": "pan_left", "right": "pan_right"}),
    "tilt": ("tilt", {"up": "tilt_up", "down": "tilt_down"}),
    "roll": ("roll", {"clockwise": "roll_cw", "counterclockwise": "roll_ccw"}),
    "truck": ("truck", {"left": "truck_left", "right": "truck_right"}),
    "zoom": ("zoom", {"in": "zoom_in", "out": "zoom_out"}),
    "arc": ("arc", {"clockwise": "arc_cw", "counterclockwise": "arc_ccw"}),
    "crane": ("cran", {"up": "crane_up", "down": "crane_down"}),
    "dolly zoom": ("dolly-zoom", {"in": "dolly_zoom_in", "out": "dolly_zoom_out"}),
    "travel": (
        "mov",
        {
            "forward": "dolly_in",
            "backward": "dolly_out",
            "up": "pedestal_up",
            "down": "pedestal_down",
        },
    ),
}
VERB = r"(?<![\w-])(pan|tilt|roll|truck|zoom|arc|cran|dolly-zoom|mov)(?:s|es|n?ing)\b"
WHERE = r"(left|right|up|down|in|out|forward|backward|clockwise|counterclockwise)\b"
CLAIM = re.compile(
    rf"{VERB}(?: {WHERE}((?:(?:, (?!in turn)| and ){WHERE})*))?(?: or {VERB} {WHERE})?"
)


def claims(text):
    """What a sentence claims: sets of labels of which one must be true."""
    by_stem = dict(WAYS.values())
    found = []
    for match in CLAIM.finditer(text):
        stem, where, also, _, other, other_where = match.groups()
        if where is None and other is None:
            assert match.group().startswith("moves") and "barely" in text, text
            continue
        first = by_stem[stem][where or other_where]
        found.append({first, by_stem[other][other_where]} if other else {first})
        found += [{by_stem[stem][way]} for way in re.findall(WHERE, also or "")]
    return found


@st.composite
def stories(draw):
    labels = draw(st.lists(st.sampled_from([d.name for d in DEFINITIONS]), unique=True))
    segments = []
    for name in [*labels, "static"]:
        for _ in range(draw(st.integers(0, 3))):
            begin = draw(st.floats(0.0, 9.0))
            segments.append(Segment(name, begin, begin + draw(st.floats(0.3, 5.0)), 0.9))
    return {
        "labels": labels,
        "segments": sorted(segments, key=lambda s: s.start),
        "ambiguous": draw(st.lists(st.sampled_from(sorted(LOOKALIKES)), unique=True)),
        "speed": draw(st.sampled_from([None, *SPEED])),
        "steadiness": draw(st.sampled_from(STEADINESS)),
        "speeds": draw(
            st.none() | st.fixed_dictionaries(dict.fromkeys(DIRECTIONS, st.sampled_from(SPEED)))
        ),
        "complexity": draw(st.none() | st.sampled_from(COMPLEXITY)),
    }


@given(stories())
@settings(max_examples=200)
def test_nothing_is_claimed_without_a_label(story):
    labels, text = story["labels"], caption(**story)
    for claimed in claims(text):
        assert claimed & set(labels), text
        assert claimed <= set(labels) or tuple(claimed) in {
            order for pair in story["ambiguous"] for order in (pair, pair[::-1])
        }, text
    if "static" in labels:
        assert text == "The camera stands still."
    elif re.search(r"stands still|stops|pauses", text):
        assert any(segment.motion == "static" for segment in story["segments"])
    assert ("shak" in text) <= ("shaky" in labels)
    assert ("slightly" in text.replace("slightly unsteady", "")) <= (story["complexity"] == "minor")
    paces = {story["speed"], *(story["speeds"] or {}).values()}
    assert ("slowly" in text) <= ("slow" in paces)
    assert ("quickly" in text) <= ("fast" in paces)


@given(stories())
@settings(max_examples=200)
def test_a_caption_is_one_plain_line(story):
    text = caption(**story)
    assert re.fullmatch(r"The camera [a-z ,;()-]+\.", text)
    assert len(text) <= 500
    assert "  " not in text
    for word in ("and and", "then then", "while while", " ,", " ;", ",,"):
        assert word not in text


@given(stories())
@settings(max_examples=200)
def test_few_moves_are_all_told(story):
    moves = {n for n in story["labels"] if n not in ("static", "shaky")}
    if "static" in story["labels"] or len(moves) > 6:
        return
    parts = {part for move in moves for part in COMBINED.get(move, ())}
    told = set().union(*claims(caption(**story)))
    assert moves - parts <= told


MIRROR = {"left": "right", "right": "left"}
MIRROR |= {"clockwise": "counterclockwise", "counterclockwise": "clockwise"}


def mirrored(label):
    swapped = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}
    return "_".join(swapped.get(part, part) for part in label.split("_"))


@given(stories())
def test_a_mirrored_clip_has_the_mirrored_caption(story):
    other = story | {
        "labels": [mirrored(name) for name in story["labels"]],
        "segments": [
            Segment(mirrored(s.motion), s.start, s.end, s.score) for s in story["segments"]
        ],
        "ambiguous": [tuple(map(mirrored, pair)) for pair in story["ambiguous"]],
        "speeds": story["speeds"] and {mirrored(n): s for n, s in story["speeds"].items()},
    }
    words = re.sub(r"\w+", lambda word: MIRROR.get(word.group(), word.group()), caption(**story))
    assert caption(**other) == words


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_has_words(path, label, name):
    definition = BY_NAME[name]
    amount = {"pan": 20.0, "tilt": 15.0, "roll": 15.0}.get(definition.axis, 0.4)
    text = label(path(**{definition.axis: definition.sign * amount})).caption
    assert claims(text) == [{name}]


@pytest.mark.parametrize("name", sorted(COMBINED))
def test_every_combined_move_has_words(name):
    assert claims(said((name, 0.0, 3.0))) == [{name}]
