"""What counts as yes, what as no, and what as neither."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dollygrip.runners.vlm.answers import Reply, by_caption, by_log_probabilities, by_share

PROBABILITIES = st.floats(0.001, 1.0)


def told(*alternatives: tuple[str, float], text: str = "Yes") -> Reply:
    """A reply whose first token has these probabilities."""
    return Reply(text, "length", tuple((token, math.log(p)) for token, p in alternatives))


def test_all_spellings_count():
    reply = told(("Yes", 0.4), (" yes", 0.1), ("YES", 0.1), ("No", 0.2), ("▁no", 0.1), ("I", 0.1))
    assert by_log_probabilities().read([reply]).score == pytest.approx(0.6 / 0.9)


@given(yes=PROBABILITIES, no=PROBABILITIES, other=PROBABILITIES)
def test_yes_and_no_are_mirrored_and_other_words_do_not_count(yes: float, no: float, other: float):
    whole = yes + no + other
    yes, no, other = yes / whole, no / whole, other / whole
    assume(yes + no > 0.51)
    method = by_log_probabilities()
    score = method.read([told(("Yes", yes), ("No", no), ("Maybe", other))]).score
    mirrored = method.read([told(("No", yes), ("Yes", no))]).score
    assert score == pytest.approx(yes / (yes + no))
    assert score + mirrored == pytest.approx(1.0)


@pytest.mark.parametrize("token", ["Yesterday", "Not", "Nothing", "y", "n", "True", "-", ""])
def test_other_words_are_no_answer(token: str):
    outcome = by_log_probabilities().read([told((token, 0.9), ("Yes", 0.05), text=token)])
    assert outcome.score is None
    assert outcome.error


def test_a_refusal_is_an_error_though_yes_is_likelier_than_no():
    outcome = by_log_probabilities().read([told(("I", 0.8), ("Yes", 0.15), text="I")])
    assert outcome.score is None
    assert outcome.error == "neither yes nor no was said, but 'I'"


@pytest.mark.parametrize("value", [math.nan, 5.0])
def test_what_is_no_log_probability_is_no_score(value: float):
    outcome = by_log_probabilities().read([Reply("Yes", "", (("Yes", value),))])
    assert outcome.score is None
    assert outcome.error


def test_an_impossible_token_has_no_share():
    reply = Reply("Yes", "", (("Yes", 0.0), ("No", -math.inf)))
    assert by_log_probabilities().read([reply]).score == 1.0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Yes", 1.0),
        ("yes.", 1.0),
        ("**Yes**", 1.0),
        ("Yes, the camera pans.", 1.0),
        (" \nNo", 0.0),
        ("NO!", 0.0),
        ("No\nThe camera stands still", 0.0),
        ("No camera can be seen", None),
        ("I cannot say yes", None),
        ("Nothing", None),
        ("Yesno", None),
        ("", None),
    ],
)
def test_what_is_said_in_words(text: str, share: float | None):
    outcome = by_share(1).read([Reply(text, "stop")])
    assert outcome.score == share
    assert (outcome.error is None) == (share is not None)


def test_the_share_is_of_those_that_answered():
    replies = [Reply(text) for text in ("Yes", "No", "Yes", "Sorry")]
    assert by_share(4).read(replies).score == pytest.approx(2 / 3)
    assert by_share(4).name == "share of Yes in 4 answers"


def test_mostly_refused_is_refused():
    outcome = by_share(3).read([Reply(text) for text in ("Yes", "Sorry", "Hm")])
    assert outcome.score is None
    assert "'Sorry'" in (outcome.error or "")


def test_a_model_that_ran_out_of_tokens_needs_more():
    assert "--answer-tokens" in (by_share(1).read([Reply("", "length")]).error or "")
    assert "content_filter" in (by_caption().read([Reply("", "content_filter")]).error or "")


def test_a_caption_is_what_was_said():
    assert by_caption().read([Reply(" The camera pans. ")]).caption == "The camera pans."
