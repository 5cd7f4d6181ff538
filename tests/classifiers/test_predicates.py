"""Questions and their answers on records of paths whose motion is known exactly."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers import predicates as ask
from dollygrip.classifiers.base import combine
from dollygrip.classifiers.labels import DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.records import ShotLabels


def test_clips_with_cuts_are_asked_as_one(clips):
    whole = combine([clips["still"], replace(clips["fast"], start=4.0, end=5.5)])
    assert ask.has("pan_right")(whole) > 0.5 > ask.still(whole)
    assert ask.fast(whole) > 0.5 > ask.slow(whole)


def test_what_the_record_lacks_is_not_known(clips):
    bare = replace(clips["pan_left"], attributes={})
    for question in (ask.steady, ask.slow, ask.fast, ask.blurred, ask.frozen, ask.scene_moves):
        assert question(bare) is None
        assert ask.negated(question)(bare) is None
        assert ask.both(ask.moving, question)(bare) is None
    assert ask.has("pan_left")(bare) > 0.5


@pytest.mark.parametrize(
    ("question", "name", "values"),
    [
        (ask.blurred, "blur", (0.0, 0.2, 0.4, 0.8)),
        (ask.blurred, "sweep", (0.0, 0.02, 0.2, 0.5)),
        (ask.frozen, "frozen_seconds", (0.0, 0.2, 0.5, 3.0)),
        (ask.scene_moves, "moving_share", (0.0, 0.01, 0.05, 0.5)),
        (ask.negated(ask.steady), "shake", (0.0, 0.001, 0.005, 0.05)),
        (ask.fast, "pace", (None, 1.0, 8.0, 30.0)),
        (ask.negated(ask.slow), "pace", (0.1, 1.0, 3.0, 30.0)),
    ],
)
def test_answers_are_graded(question: ask.Predicate, name, values, clips):
    clip = clips["fast"]
    # The other condition of blur is met beyond doubt.
    beyond = {**clip.attributes, "blur": 2.0, "sweep": 5.0}
    known = [question(replace(clip, attributes={**beyond, name: value})) for value in values]
    assert known == sorted(known)
    assert len(set(known)) == len(known)
    assert known[0] < 0.5 < known[-1]


def made_up(scores: list[float]) -> ShotLabels:
    names = [definition.name for definition in DEFINITIONS]
    return ShotLabels(0.0, 1.0, scores=dict(zip(names, scores, strict=True)))


probabilities = st.lists(st.floats(0.0, 1.0), min_size=len(DEFINITIONS), max_size=len(DEFINITIONS))


def test_a_label_that_is_just_given_is_a_yes(clips):
    clip = clips["pan_left"]
    just = replace(clip, scores={**clip.scores, "pan_left": 0.5})
    assert ask.has("pan_left")(just) > 0.5 > ask.negated(ask.has("pan_left"))(just)


@given(probabilities)
def test_at_most_one_move_is_the_only_one(scores):
    clip = made_up(scores)
    alone = [name for name in DIRECTIONS if ask.only(name)(clip) > 0.5]
    assert len(alone) <= 1
    assert all(clip.scores[name] > 0.5 for name in alone)


@given(probabilities)
def test_not_and_or_obey_de_morgan(scores):
    clip = made_up(scores)
    one, other = ask.has("pan_left"), ask.has("zoom_in")
    neither = ask.negated(ask.either(one, other))(clip)
    assert neither == pytest.approx(ask.both(ask.negated(one), ask.negated(other))(clip))


@given(probabilities, st.sampled_from(ask.WAYS))
def test_without_a_path_the_ground_is_taken_to_be_level(scores, way):
    clip = made_up(scores)
    own = {"forward": "dolly_in", "backward": "dolly_out", "up": "pedestal_up"}
    assert ask.towards(way)(clip) == clip.scores[own.get(way, "pedestal_down")]
