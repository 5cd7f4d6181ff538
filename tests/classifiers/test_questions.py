"""CameraBench's questions and their answers on records of paths whose motion is known exactly."""

import random
from dataclasses import replace

import pytest

from dollygrip.classifiers.base import combine, failed
from dollygrip.classifiers.labels import DEFINITIONS
from dollygrip.classifiers.questions import LABEL_QUESTIONS, QUESTIONS, question
from dollygrip.classifiers.reliability import Failure, Reason

# Two questions; a clip of which the first is true, and one of which the second is.
EXAMPLES = [
    (
        "Does the camera move backward only relative to its initial viewing direction but not "
        "relative to the ground?",
        "Does the camera move backward relative to both the ground and its initial viewing "
        "direction?",
        "backward_for_the_camera",
        "backward",
    ),
    (
        "Does the camera move downward only relative to its initial viewing direction but not "
        "relative to the ground?",
        "Does the camera move downward relative to both the ground and its initial viewing "
        "direction?",
        "down_for_the_camera",
        "down",
    ),
    (
        "Does the camera move forward only relative to its initial viewing direction but not "
        "relative to the ground?",
        "Does the camera move forward relative to both the ground and its initial viewing "
        "direction?",
        "forward_for_the_camera",
        "forward",
    ),
    (
        "Does the camera only pan left with no other movement?",
        "Does the camera only move laterally to the left with no other movement?",
        "pan_left",
        "truck_left",
    ),
    (
        "Does the camera only pan right with no other movement?",
        "Does the camera only move laterally to the right with no other movement?",
        "pan_right",
        "truck_right",
    ),
    (
        "Does the camera only tilt down with no other movement?",
        "Does the camera only move physically downward (pedestal down) with no other movement?",
        "tilt_down",
        "down",
    ),
    (
        "Does the camera only tilt up with no other movement?",
        "Does the camera only move physically upward (pedestal up) with no other movement?",
        "tilt_up",
        "up",
    ),
    (
        "Does the camera only zoom in without any other camera movement?",
        "Does the camera only move forward without any other camera movement?",
        "zoom_in",
        "forward",
    ),
    (
        "Does the camera only zoom out without any other camera movement?",
        "Does the camera only move backward without any other camera movement?",
        "zoom_out",
        "backward",
    ),
    (
        "Does the camera move upward only relative to its initial viewing direction but not "
        "relative to the ground?",
        "Does the camera move upward relative to both the ground and its initial viewing "
        "direction?",
        "up_for_the_camera",
        "up",
    ),
    (
        "Does the camera move in a clockwise arc?",
        "Is the camera free from any clockwise arc movement?",
        "arc_cw",
        "arc_ccw",
    ),
    (
        "Does the camera move in a counterclockwise arc?",
        "Is the camera free from any counterclockwise arc movement?",
        "arc_ccw",
        "truck_right",
    ),
    (
        "Is the camera moving backward in the scene?",
        "Is the camera free from any backward motion?",
        "backward",
        "zoom_out",
    ),
    (
        "Does the camera crane downward in an arc?",
        "Is the camera not craning downward in an arc?",
        "crane_down",
        "down",
    ),
    (
        "Does the camera crane upward in an arc?",
        "Is the camera not craning upward in an arc?",
        "crane_up",
        "up",
    ),
    (
        "Is the camera moving forward in the scene?",
        "Is the camera free from any forward motion?",
        "forward",
        "zoom_in",
    ),
    (
        "Does the camera pan to the left?",
        "Is the camera free from any leftward panning motion?",
        "pan_left",
        "pan_right",
    ),
    (
        "Does the camera pan left without moving laterally to the left?",
        "Does the camera move laterally to the left without panning left?",
        "pan_left",
        "truck_left",
    ),
    (
        "Does the camera pan to the right?",
        "Is the camera free from any rightward panning motion?",
        "pan_right",
        "still",
    ),
    (
        "Does the camera pan right without moving laterally to the right?",
        "Does the camera move laterally to the right without panning right?",
        "pan_right",
        "truck_right",
    ),
    (
        "Does the camera move downward relative to the ground?",
        "Is the camera free from any downward pedestal motion?",
        "down",
        "tilt_down",
    ),
    (
        "Does the camera move upward relative to the ground?",
        "Is the camera free from any upward pedestal motion?",
        "up",
        "forward",
    ),
    (
        "Does the camera roll clockwise?",
        "Is the camera free from any clockwise rolling motion?",
        "roll_cw",
        "roll_ccw",
    ),
    (
        "Does the camera roll counterclockwise?",
        "Is the camera free from any counterclockwise rolling motion?",
        "roll_ccw",
        "shaky",
    ),
    (
        "Does the camera tilt downward?",
        "Is the camera free from any downward tilting motion?",
        "tilt_down",
        "still",
    ),
    (
        "Does the camera tilt down without moving physically downward?",
        "Does the camera move physically downward without tilting down?",
        "tilt_down",
        "down",
    ),
    (
        "Does the camera tilt upward?",
        "Is the camera free from any upward tilting motion?",
        "tilt_up",
        "pan_left",
    ),
    (
        "Does the camera tilt up without moving physically upward?",
        "Does the camera move physically upward without tilting up?",
        "tilt_up",
        "up",
    ),
    (
        "Does the camera move laterally to the left?",
        "Is the camera free from any leftward lateral movement?",
        "truck_left",
        "truck_right",
    ),
    (
        "Does the camera move laterally to the right?",
        "Is the camera free from any rightward lateral movement?",
        "truck_right",
        "pan_right",
    ),
    (
        "Does the camera zoom in?",
        "Is the camera free from any zoom in effects?",
        "zoom_in",
        "forward",
    ),
    (
        "Does the camera zoom in without physically moving forward?",
        "Does the camera physically move forward without zooming in?",
        "zoom_in",
        "forward",
    ),
    (
        "Does the camera zoom out?",
        "Is the camera free from any zoom out effects?",
        "zoom_out",
        "backward",
    ),
    (
        "Does the camera zoom out without physically moving backward?",
        "Does the camera physically move backward without zooming out?",
        "zoom_out",
        "backward",
    ),
    (
        "Does the camera have noticeable motion beyond minor shake or wobble?",
        "Is the camera free from noticeable motion beyond minor shake or wobble?",
        "pan_left",
        "shaky",
    ),
    (
        "Is the camera completely still without any visible movement?",
        "Is the camera not completely still and shows visible movement?",
        "still",
        "trembling",
    ),
    (
        "Is the camera movement exceptionally smooth and highly stable?",
        "Does the camera show noticable vibrations, shaking, or wobbling?",
        "truck_left",
        "shaky",
    ),
    (
        "Is the camera completely still without any motion or shaking?",
        "Is the camera stationary with minor vibrations or shaking?",
        "still",
        "shaky",
    ),
    (
        "Does the camera move in a counterclockwise arc?",
        "Does the camera move in a clockwise arc?",
        "arc_ccw",
        "arc_cw",
    ),
    (
        "Is the camera craning upward in an arc?",
        "Does the camera move downward in a crane shot?",
        "crane_up",
        "crane_down",
    ),
    (
        "Does the shot feature a dolly zoom effect with the camera moving backward and zooming in?",
        "Does the shot feature a dolly zoom effect with the camera moving forward and zooming out?",
        "dolly_zoom_in",
        "dolly_zoom_out",
    ),
    (
        "Is the camera moving forward in the scene?",
        "Is the camera moving backward in the scene?",
        "forward",
        "backward",
    ),
    (
        "Does the camera move leftward in the scene?",
        "Does the camera move rightward in the scene?",
        "truck_left",
        "truck_right",
    ),
    (
        "Does the camera move upward relative to the ground?",
        "Does the camera move downward relative to the ground?",
        "up",
        "down",
    ),
    (
        "Does the camera pan to the left?",
        "Does the camera pan to the right?",
        "pan_left",
        "pan_right",
    ),
    (
        "Does the camera roll clockwise?",
        "Does the camera roll counterclockwise?",
        "roll_cw",
        "roll_ccw",
    ),
    ("Does the camera tilt upward?", "Does the camera tilt downward?", "tilt_up", "tilt_down"),
    ("Does the camera zoom in?", "Does the camera zoom out?", "zoom_in", "zoom_out"),
    (
        "Does the video contain noticeable motion blur?",
        "Is the video free from any noticeable motion blur?",
        "blurred",
        "pan_right",
    ),
    (
        "Does the camera have noticeable motion but at a slow motion speed?",
        "Does the camera have noticeable motion but at a fast motion speed?",
        "slow",
        "fast",
    ),
    (
        "Does the camera only move backward (not zooming out) with respect to the ground?",
        "Does the camera not just move backward with respect to the ground?",
        "backward",
        "backward_and_more",
    ),
    (
        "Does the camera only move forward (not zooming in) with respect to the ground?",
        "Does the camera not just move forward with respect to the ground?",
        "forward",
        "forward_and_more",
    ),
    (
        "Does the camera only pan leftward without any other camera movements?",
        "Does the camera not just pan left?",
        "pan_left",
        "pan_left_and_more",
    ),
    (
        "Does the camera only pan rightward without any other camera movements?",
        "Does the camera not just pan right?",
        "pan_right",
        "pan_right_and_more",
    ),
    (
        "Does the camera only move downward (not tilting down) with respect to the ground?",
        "Does the camera not just move physically downward?",
        "down",
        "down_and_more",
    ),
    (
        "Does the camera only move upward (not tilting up) with respect to the ground?",
        "Does the camera not just move physically upward?",
        "up",
        "up_and_more",
    ),
    (
        "Does the camera only roll clockwise without any other camera movements?",
        "Does the camera not just roll clockwise?",
        "roll_cw",
        "roll_cw_and_more",
    ),
    (
        "Does the camera only roll counterclockwise without any other camera movements?",
        "Does the camera not just roll counterclockwise?",
        "roll_ccw",
        "roll_ccw_and_more",
    ),
    (
        "Does the camera only tilt downward without any other camera movements?",
        "Does the camera not just tilt down?",
        "tilt_down",
        "tilt_down_and_more",
    ),
    (
        "Does the camera only tilt upward without any other camera movements?",
        "Does the camera not just tilt up?",
        "tilt_up",
        "tilt_up_and_more",
    ),
    (
        "Does the camera only move leftward without any other camera movements?",
        "Does the camera not just move laterally to the left?",
        "truck_left",
        "truck_left_and_more",
    ),
    (
        "Does the camera only move rightward without any other camera movements?",
        "Does the camera not just move laterally to the right?",
        "truck_right",
        "truck_right_and_more",
    ),
    (
        "Does the camera only zoom in with no other movement?",
        "Does the camera not just zoom in?",
        "zoom_in",
        "zoom_in_and_more",
    ),
    (
        "Does the camera only zoom out with no other movement?",
        "Does the camera not just zoom out?",
        "zoom_out",
        "zoom_out_and_more",
    ),
    (
        "Does the video contain a frame freeze effect at any point?",
        "Is the video free from any frame freeze effect?",
        "frozen",
        "still",
    ),
    (
        "Is the scene in the video completely static?",
        "Is the scene in the video dynamic?",
        "forward",
        "busy",
    ),
]
TEXTS = sorted({text for pair in EXAMPLES for text in pair[:2]})


def test_every_question_that_needs_no_subject_is_known():
    assert len(EXAMPLES) == 66
    assert len(TEXTS) == 118
    assert set(QUESTIONS) == {*TEXTS, *LABEL_QUESTIONS.values()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_question_is_true_of_its_own_clip_alone(example, clips):
    *texts, one, other = example
    asked, opposed = map(question, texts)
    assert asked(clips[one]) > 0.5 > asked(clips[other])
    assert opposed(clips[other]) > 0.5 > opposed(clips[one])


@pytest.mark.parametrize("example", EXAMPLES)
def test_answers_are_probabilities_and_never_yes_to_both(example, clips):
    for clip in clips.values():
        answers = [question(text)(clip) for text in example[:2]]
        assert all(0.0 <= answer <= 1.0 for answer in answers)
        assert min(answers) <= 0.5


def test_a_clip_without_an_answer_answers_nothing():
    lost = failed(Failure(Reason.TOO_DARK, "Black."), start=0.0, end=1.0)
    assert {question(text)(lost) for text in TEXTS} == {None}


def test_clips_with_cuts_are_asked_as_one(clips):
    whole = combine([clips["still"], replace(clips["fast"], start=4.0, end=5.5)])
    assert all(question(text)(whole) is not None for text in TEXTS)


@pytest.mark.parametrize(
    "text", [t for t in TEXTS if "left" in t and t.replace("left", "right") in TEXTS]
)
def test_mirrored_clips_get_mirrored_answers(text, path, label):
    seen, mirrored = (label(path(pan=-20.0 * side, truck=-0.1 * side)) for side in (1, -1))
    flipped = question(text.replace("left", "right"))
    assert question(text)(seen) == pytest.approx(flipped(mirrored))


# --- by text alone --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "does the camera pan to the left",
        "  DOES THE CAMERA\tPAN\n TO THE LEFT ?!",
        "\u201cDoes the camera pan to the left?\u201d",
        "Does the camera, pan: to the left?",
    ],
)
def test_case_white_space_and_punctuation_do_not_matter(written):
    assert question(written) is question("Does the camera pan to the left?")


def test_every_text_is_known_however_it_is_typed():
    chance = random.Random(0)
    for text in QUESTIONS:
        typed = "".join(chance.choice((c.lower(), c.upper())) for c in text)
        typed = typed.replace(" ", "  ").replace("?", " ?").replace("(", "( ")
        assert question(typed) is QUESTIONS[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "Does the camera pan?",
        "Does the camera pan to the left and zoom in?",
        "Is it a tracking shot with the camera moving ahead of the subject?",
        "Does the camera movement in this video match the following description: 'It pans.'?",
    ],
)
def test_what_is_not_known_is_not_guessed(text):
    assert question(text) is None


def test_there_is_a_question_for_every_label_and_only_that_label_answers_it(clips):
    assert list(LABEL_QUESTIONS) == [definition.name for definition in DEFINITIONS]
    for label, text in LABEL_QUESTIONS.items():
        answers = {name: question(text)(clip) > 0.5 for name, clip in clips.items()}
        assert answers == {name: label in clip.labels for name, clip in clips.items()}
