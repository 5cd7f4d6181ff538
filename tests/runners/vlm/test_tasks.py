"""What is asked of which clip, and how the answers are written."""

from pathlib import Path

import pytest

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.formats.pairs import Description, Pair
from dollygrip.runners.formats.scores import Captions, ClassificationScores, VqaScores
from dollygrip.runners.formats.truth import LabelError, LabelledClip, Question
from dollygrip.runners.vlm.answers import Outcome
from dollygrip.runners.vlm.planning import Query
from dollygrip.runners.vlm.tasks import About, binary_task, caption_task, pair_task

ABOUT = About("some-model", "some way", "2026-01-01T00:00:00+00:00")
VIDEOS = (Path("clips/a.mp4"), Path("clips/b.mp4"), Path("clips/c.mp4"))
A, B, C = VIDEOS


def pair(pos: str, neg: str, task: str = "zoom") -> Pair:
    return Pair("has_motion", task, pos, neg, "Zooms?", "Does not zoom?")


def test_every_primitive_of_every_clip_without_labels():
    task = binary_task(VIDEOS, None, limit=2)
    assert len(set(task.queries)) == len(task.queries) == 2 * len(PRIMITIVES)
    assert {query.path for query in task.queries} == {A, B}


def test_only_what_people_have_said_in_their_words():
    labels = [
        LabelledClip(
            "b.mp4",
            {"pan_left": True, "pan_right": None, "arc_cw": False},
            questions={"pan_left": Question(1, "Pans it left?")},
        ),
        LabelledClip("elsewhere.mp4", {"pan_left": True}),
    ]
    task = binary_task(VIDEOS, labels)
    assert task.queries == (
        Query(B, "Pans it left?"),
        Query(B, "Does the camera move in a clockwise arc?"),
    )
    answers = dict(zip(task.queries, (Outcome(score=0.75), Outcome(error="why")), strict=True))
    pan, arc = task.scores(answers, ABOUT)
    assert isinstance(pan, ClassificationScores)
    assert isinstance(arc, ClassificationScores)
    assert (pan.metadata.split_name, arc.metadata.split_name) == ("Pan_Left", "arc_cw")
    assert (pan.metadata.model_name, pan.metadata.generation_timestamp) == (ABOUT.model, ABOUT.time)
    (said,), (failed,) = pan.scores, arc.scores
    assert (said.video_path, said.ground_truth_label, said.score) == ("b.mp4", "yes", 0.75)
    assert (said.method, said.question) == ("some way", "Pans it left?")
    assert (failed.ground_truth_label, failed.score, failed.error) == ("no", None, "why")


def test_a_name_of_two_clips_is_an_error():
    with pytest.raises(LabelError, match="may be"):
        binary_task((A, Path("other/a.mp4")), [LabelledClip("a.mp4", {"static": True})])


def test_a_pair_has_four_cells():
    task = pair_task(VIDEOS, [pair("a.mp4", "b.mp4"), pair("a.mp4", "not_there.mp4")])
    values = {
        Query(A, "Zooms?"): 0.9,
        Query(B, "Zooms?"): 0.2,
        Query(A, "Does not zoom?"): 0.3,
        Query(B, "Does not zoom?"): 0.6,
    }
    assert set(task.queries) == set(values)
    (scores,) = task.scores({q: Outcome(score=v) for q, v in values.items()}, ABOUT)
    assert isinstance(scores, VqaScores)
    assert (scores.metadata.skill_name, scores.metadata.task_name) == ("has_motion", "zoom")
    (said,) = scores.scores
    assert said.yes_scores is not None
    assert said.no_scores is not None
    assert said.yes_scores.pos_text_pos_image == 0.9
    assert said.yes_scores.pos_text_neg_image == 0.2
    assert said.yes_scores.neg_text_pos_image == 0.3
    assert said.yes_scores.neg_text_neg_image == 0.6
    assert said.no_scores.pos_text_neg_image == pytest.approx(0.8)


def test_a_pair_without_one_answer_has_an_error_and_no_scores():
    task = pair_task(VIDEOS, [pair("a.mp4", "b.mp4")])
    answers = {query: Outcome(score=0.5) for query in task.queries}
    (scores,) = task.scores(answers | {task.queries[2]: Outcome(error="refused")}, ABOUT)
    assert isinstance(scores, VqaScores)
    (said,) = scores.scores
    assert (said.yes_scores, said.no_scores, said.error) == (None, None, "refused")


def test_pairs_of_one_task_are_one_file_and_can_be_limited():
    pairs = [pair("a.mp4", "b.mp4"), pair("b.mp4", "c.mp4"), pair("c.mp4", "a.mp4", "pan")]
    task = pair_task(VIDEOS, pairs)
    answers = {query: Outcome(score=0.5) for query in task.queries}
    files = task.scores(answers, ABOUT)
    assert [len(file.scores) for file in files if isinstance(file, VqaScores)] == [2, 1]
    assert len({file.metadata.split_name for file in files}) == 2
    assert len(pair_task(VIDEOS, pairs, limit=1).pairs) == 1


def test_captions():
    said = [Description("a.mp4", "Describe it.", "It pans."), Description("x.mp4", "?", "-")]
    task = caption_task(VIDEOS, said)
    assert task.queries == (Query(A, "Describe it."),)
    (captions,) = task.scores({task.queries[0]: Outcome(caption="It tilts.")}, ABOUT)
    assert isinstance(captions, Captions)
    (caption,) = captions.captions
    assert (caption.generated_caption, caption.reference_answer) == ("It tilts.", "It pans.")
