"""CameraBench's questions, by their text: what each asks of a record.

A question means the same wherever it is asked, so that nothing but its text and the clip decides
the answer. Questions about a subject, or about a description, are not known here.
"""

import re
from collections.abc import Mapping

from dollygrip.classifiers.predicates import (
    Predicate,
    blurred,
    camera_and_ground,
    camera_only,
    fast,
    frozen,
    has,
    moving,
    negated,
    only,
    scene_moves,
    slow,
    steady,
    still,
    towards,
    without,
    wobbling,
)

LABEL_QUESTIONS: Mapping[str, str] = {
    "static": "Is the camera completely still without any motion or shaking?",
    "dolly_in": "Does the camera move forward (not zooming in) with respect to the initial frame?",
    "dolly_out": (
        "Does the camera move backward (not zooming out) with respect to the initial frame?"
    ),
    "truck_left": "Does the camera move leftward in the scene?",
    "truck_right": "Does the camera move rightward in the scene?",
    "pedestal_up": (
        "Does the camera move upward (not tilting up) with respect to the initial frame?"
    ),
    "pedestal_down": (
        "Does the camera move downward (not tilting down) with respect to the initial frame?"
    ),
    "pan_left": "Does the camera pan to the left?",
    "pan_right": "Does the camera pan to the right?",
    "tilt_up": "Does the camera tilt upward?",
    "tilt_down": "Does the camera tilt downward?",
    "roll_cw": "Does the camera roll clockwise?",
    "roll_ccw": "Does the camera roll counterclockwise?",
    "zoom_in": "Does the camera zoom in?",
    "zoom_out": "Does the camera zoom out?",
    "arc_cw": "Does the camera move in a clockwise arc?",
    "arc_ccw": "Does the camera move in a counterclockwise arc?",
    "crane_up": "Does the camera crane upward in an arc?",
    "crane_down": "Does the camera crane downward in an arc?",
    "dolly_zoom_in": (
        "Does the shot feature a dolly zoom effect with the camera moving backward and zooming in?"
    ),
    "dolly_zoom_out": (
        "Does the shot feature a dolly zoom effect with the camera moving forward and zooming out?"
    ),
    # Spelt as it is asked.
    "shaky": "Does the camera show noticable vibrations, shaking, or wobbling?",
}
"""The question that asks for each label."""

_OPPOSITES: tuple[tuple[Predicate, str, str], ...] = (
    # --- whether it moves ---
    (
        moving,
        "Does the camera have noticeable motion beyond minor shake or wobble?",
        "Is the camera free from noticeable motion beyond minor shake or wobble?",
    ),
    (
        still,
        "Is the camera completely still without any visible movement?",
        "Is the camera not completely still and shows visible movement?",
    ),
    (
        steady,
        "Is the camera movement exceptionally smooth and highly stable?",
        "Does the camera show noticable vibrations, shaking, or wobbling?",
    ),
    # --- one move ---
    (
        towards("forward"),
        "Is the camera moving forward in the scene?",
        "Is the camera free from any forward motion?",
    ),
    (
        towards("backward"),
        "Is the camera moving backward in the scene?",
        "Is the camera free from any backward motion?",
    ),
    (
        towards("up"),
        "Does the camera move upward relative to the ground?",
        "Is the camera free from any upward pedestal motion?",
    ),
    (
        towards("down"),
        "Does the camera move downward relative to the ground?",
        "Is the camera free from any downward pedestal motion?",
    ),
    (
        has("truck_left"),
        "Does the camera move laterally to the left?",
        "Is the camera free from any leftward lateral movement?",
    ),
    (
        has("truck_right"),
        "Does the camera move laterally to the right?",
        "Is the camera free from any rightward lateral movement?",
    ),
    (
        has("pan_left"),
        "Does the camera pan to the left?",
        "Is the camera free from any leftward panning motion?",
    ),
    (
        has("pan_right"),
        "Does the camera pan to the right?",
        "Is the camera free from any rightward panning motion?",
    ),
    (
        has("tilt_up"),
        "Does the camera tilt upward?",
        "Is the camera free from any upward tilting motion?",
    ),
    (
        has("tilt_down"),
        "Does the camera tilt downward?",
        "Is the camera free from any downward tilting motion?",
    ),
    (
        has("roll_cw"),
        "Does the camera roll clockwise?",
        "Is the camera free from any clockwise rolling motion?",
    ),
    (
        has("roll_ccw"),
        "Does the camera roll counterclockwise?",
        "Is the camera free from any counterclockwise rolling motion?",
    ),
    (
        has("zoom_in"),
        "Does the camera zoom in?",
        "Is the camera free from any zoom in effects?",
    ),
    (
        has("zoom_out"),
        "Does the camera zoom out?",
        "Is the camera free from any zoom out effects?",
    ),
    (
        has("arc_cw"),
        "Does the camera move in a clockwise arc?",
        "Is the camera free from any clockwise arc movement?",
    ),
    (
        has("arc_ccw"),
        "Does the camera move in a counterclockwise arc?",
        "Is the camera free from any counterclockwise arc movement?",
    ),
    (
        has("crane_up"),
        "Does the camera crane upward in an arc?",
        "Is the camera not craning upward in an arc?",
    ),
    (
        has("crane_down"),
        "Does the camera crane downward in an arc?",
        "Is the camera not craning downward in an arc?",
    ),
    # --- one move and no other ---
    (
        only("forward"),
        "Does the camera only move forward (not zooming in) with respect to the ground?",
        "Does the camera not just move forward with respect to the ground?",
    ),
    (
        only("backward"),
        "Does the camera only move backward (not zooming out) with respect to the ground?",
        "Does the camera not just move backward with respect to the ground?",
    ),
    (
        only("up"),
        "Does the camera only move upward (not tilting up) with respect to the ground?",
        "Does the camera not just move physically upward?",
    ),
    (
        only("down"),
        "Does the camera only move downward (not tilting down) with respect to the ground?",
        "Does the camera not just move physically downward?",
    ),
    (
        only("truck_left"),
        "Does the camera only move leftward without any other camera movements?",
        "Does the camera not just move laterally to the left?",
    ),
    (
        only("truck_right"),
        "Does the camera only move rightward without any other camera movements?",
        "Does the camera not just move laterally to the right?",
    ),
    (
        only("pan_left"),
        "Does the camera only pan leftward without any other camera movements?",
        "Does the camera not just pan left?",
    ),
    (
        only("pan_right"),
        "Does the camera only pan rightward without any other camera movements?",
        "Does the camera not just pan right?",
    ),
    (
        only("tilt_up"),
        "Does the camera only tilt upward without any other camera movements?",
        "Does the camera not just tilt up?",
    ),
    (
        only("tilt_down"),
        "Does the camera only tilt downward without any other camera movements?",
        "Does the camera not just tilt down?",
    ),
    (
        only("roll_cw"),
        "Does the camera only roll clockwise without any other camera movements?",
        "Does the camera not just roll clockwise?",
    ),
    (
        only("roll_ccw"),
        "Does the camera only roll counterclockwise without any other camera movements?",
        "Does the camera not just roll counterclockwise?",
    ),
    (
        only("zoom_in"),
        "Does the camera only zoom in with no other movement?",
        "Does the camera not just zoom in?",
    ),
    (
        only("zoom_out"),
        "Does the camera only zoom out with no other movement?",
        "Does the camera not just zoom out?",
    ),
    # --- the pictures ---
    (
        blurred,
        "Does the video contain noticeable motion blur?",
        "Is the video free from any noticeable motion blur?",
    ),
    (
        frozen,
        "Does the video contain a frame freeze effect at any point?",
        "Is the video free from any frame freeze effect?",
    ),
    (
        scene_moves,
        "Is the scene in the video dynamic?",
        "Is the scene in the video completely static?",
    ),
)
"""What a question asks, the question, and its opposite."""

_WORDS = {"forward": "forward", "backward": "backward", "up": "upward", "down": "downward"}

_OTHERS: Mapping[str, Predicate] = {
    "Is the camera stationary with minor vibrations or shaking?": wobbling,
    "Does the camera have noticeable motion but at a slow motion speed?": slow,
    "Does the camera have noticeable motion but at a fast motion speed?": fast,
    "Is the camera craning upward in an arc?": has("crane_up"),
    "Does the camera move downward in a crane shot?": has("crane_down"),
    # --- one move and no other ---
    "Does the camera only move forward without any other camera movement?": only("forward"),
    "Does the camera only move backward without any other camera movement?": only("backward"),
    "Does the camera only move physically upward (pedestal up) with no other movement?": only("up"),
    "Does the camera only move physically downward (pedestal down) with no other movement?": only(
        "down"
    ),
    "Does the camera only move laterally to the left with no other movement?": only("truck_left"),
    "Does the camera only move laterally to the right with no other movement?": only("truck_right"),
    "Does the camera only pan left with no other movement?": only("pan_left"),
    "Does the camera only pan right with no other movement?": only("pan_right"),
    "Does the camera only tilt up with no other movement?": only("tilt_up"),
    "Does the camera only tilt down with no other movement?": only("tilt_down"),
    "Does the camera only zoom in without any other camera movement?": only("zoom_in"),
    "Does the camera only zoom out without any other camera movement?": only("zoom_out"),
    # --- a turn or zoom, and travel that looks like it ---
    "Does the camera pan left without moving laterally to the left?": without(
        has("pan_left"), has("truck_left")
    ),
    "Does the camera move laterally to the left without panning left?": without(
        has("truck_left"), has("pan_left")
    ),
    "Does the camera pan right without moving laterally to the right?": without(
        has("pan_right"), has("truck_right")
    ),
    "Does the camera move laterally to the right without panning right?": without(
        has("truck_right"), has("pan_right")
    ),
    "Does the camera tilt up without moving physically upward?": without(
        has("tilt_up"), towards("up")
    ),
    "Does the camera move physically upward without tilting up?": without(
        towards("up"), has("tilt_up")
    ),
    "Does the camera tilt down without moving physically downward?": without(
        has("tilt_down"), towards("down")
    ),
    "Does the camera move physically downward without tilting down?": without(
        towards("down"), has("tilt_down")
    ),
    "Does the camera zoom in without physically moving forward?": without(
        has("zoom_in"), towards("forward")
    ),
    "Does the camera physically move forward without zooming in?": without(
        towards("forward"), has("zoom_in")
    ),
    "Does the camera zoom out without physically moving backward?": without(
        has("zoom_out"), towards("backward")
    ),
    "Does the camera physically move backward without zooming out?": without(
        towards("backward"), has("zoom_out")
    ),
    # --- along the view, or along the ground ---
    **{
        f"Does the camera move {word} only relative to its initial viewing direction but not "
        "relative to the ground?": camera_only(way)
        for way, word in _WORDS.items()
    },
    **{
        f"Does the camera move {word} relative to both the ground and its initial viewing "
        "direction?": camera_and_ground(way)
        for way, word in _WORDS.items()
    },
}
"""Questions without an opposite."""

QUESTIONS: Mapping[str, Predicate] = {
    # What is asked for shaking is asked below, as the opposite of steady.
    **{text: has(label) for label, text in LABEL_QUESTIONS.items()},
    **_OTHERS,
    **{yes: predicate for predicate, yes, _ in _OPPOSITES},
    **{no: negated(predicate) for predicate, _, no in _OPPOSITES},
}
"""What each question asks, by its text."""


def question(text: str) -> Predicate | None:
    """What a question asks of a record; None where it is not known.

    Args:
        text: The question; case, white space and punctuation do not matter.
    """
    return _BY_WORDS.get(_words(text))


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


_BY_WORDS = {_words(text): predicate for text, predicate in QUESTIONS.items()}
