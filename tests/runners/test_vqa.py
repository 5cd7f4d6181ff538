"""Questions about pairs of clips: answered by their text, and scored as the benchmark does."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.formats.pairs import Pair
from dollygrip.runners.formats.scores import (
    Cells,
    Metadata,
    ScoreError,
    VqaSample,
    VqaScores,
    write_scores,
)
from dollygrip.runners.systems import Answer, System
from dollygrip.runners.vqa import Accuracy, answer_pairs, evaluate_vqa

PAN = ("Does the camera pan to the left?", "Is the camera free from any leftward panning motion?")
ZOOM = ("Does the camera zoom in?", "Does the camera zoom out?")
SUBJECT = ("Does the camera track the subject as they move?", "Is the video not a tracking shot?")


def pairs_of(*tasks, count=2):
    """Pairs of made-up tasks ("skill/task": two questions)."""
    return tuple(
        Pair(*task.split("/"), f"p{i}.mp4", f"n{i}.mp4", *texts, f"{task}:{i}")
        for task, texts in tasks
        for i in range(count)
    )


PAIRS = pairs_of(("has_motion/pan", PAN), ("direction/zoom", ZOOM), ("tracking/is", SUBJECT))


def sample(pair, yes=None, no=None, error=None):
    texts = (pair.pos_video, pair.neg_video, pair.pos_question, pair.neg_question)
    return VqaSample("", *texts, "me", yes and Cells(*yes), no and Cells(*no), error)


def scores_of(pairs, answer, system="me", split="all"):
    """All answers in one file; ``answer(pair)`` gives probabilities of yes, or an error."""
    samples = []
    for pair in pairs:
        said = answer(pair)
        if isinstance(said, str):
            samples.append(sample(pair, error=said))
        else:
            samples.append(sample(pair, said, [1.0 - yes for yes in said]))
    return VqaScores(Metadata(system, split), tuple(samples), "file.json")


def evaluated(pairs, answer):
    (evaluation,) = evaluate_vqa(pairs, [scores_of(pairs, answer)])
    return evaluation


def right(pair):
    return (1.0, 0.0, 0.0, 1.0)


def close(accuracy, q_accuracy):
    return pytest.approx(accuracy), pytest.approx(q_accuracy)


def both(result: Accuracy):
    return result.accuracy, result.q_accuracy


# --- scoring --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "accuracy", "q_accuracy"),
    [
        ((1.0, 0.0, 0.0, 1.0), 1.0, 1.0),
        ((0.0, 1.0, 1.0, 0.0), 0.0, 0.0),
        ((0.9, 0.9, 0.9, 0.9), 0.5, 0.0),
        ((0.1, 0.1, 0.1, 0.1), 0.5, 0.0),
        # Both questions are answered alike, whatever the clip or whatever the question.
        ((1.0, 0.0, 1.0, 0.0), 0.5, 0.5),
        ((1.0, 1.0, 0.0, 0.0), 0.5, 0.0),
        # Ties are wrong.
        ((0.5, 0.5, 0.5, 0.5), 0.0, 0.0),
        ((1.0, 0.0, 0.0, 0.5), 0.75, 0.5),
    ],
)
def test_cells_and_questions_are_counted(said, accuracy, q_accuracy):
    total = evaluated(PAIRS, lambda _: said).total
    for result in (total.told, total.told_dropped, total.overall, total.overall_dropped):
        assert both(result) == close(accuracy, q_accuracy)


def test_guessing_is_at_chance():
    chance = random.Random(0)
    pairs = pairs_of(("a/b", PAN), count=4000)
    told = evaluated(pairs, lambda _: [chance.random() for _ in range(4)]).total.told
    assert told.accuracy == pytest.approx(0.5, abs=0.02)
    assert told.q_accuracy == pytest.approx(0.25, abs=0.02)


numbers = st.lists(st.sampled_from((0.0, 0.3, 0.5, 0.7, 1.0)), min_size=4, max_size=4)
answers = st.lists(st.one_of(numbers, st.just("lost")), min_size=6, max_size=6)


def by_hand(said):
    """The public evaluator's rules: entries with an error are left out."""
    kept = [s for s in said if s != "lost"]
    cells = questions = 0
    for s in kept:
        yes = dict(zip(("pp", "pn", "np", "nn"), s, strict=True))
        good = {k: (v > 1.0 - v if k in ("pp", "nn") else 1.0 - v > v) for k, v in yes.items()}
        cells += sum(good.values())
        questions += (good["pp"] and good["pn"]) + (good["np"] and good["nn"])
    return len(kept), cells, questions


@given(answers)
def test_both_rules_for_failures(said):
    said_of = dict(zip(PAIRS, said, strict=True))
    total = evaluated(PAIRS, said_of.__getitem__).total
    kept, cells, questions = by_hand(said)
    assert (total.pairs, total.answered, total.failed) == (6, 6, 6 - kept)
    assert both(total.told) == close(cells / 24, questions / 12)
    if kept:
        assert both(total.told_dropped) == close(cells / (4 * kept), questions / (2 * kept))
    else:
        assert total.told_dropped.accuracy != total.told_dropped.accuracy


@given(answers)
def test_which_of_a_pair_comes_first_does_not_matter(said):
    def swapped(pair):
        return replace(
            pair,
            pos_video=pair.neg_video,
            neg_video=pair.pos_video,
            pos_question=pair.neg_question,
            neg_question=pair.pos_question,
        )

    said_of = dict(zip(PAIRS, said, strict=True))
    turned = {swapped(p): s if s == "lost" else s[::-1] for p, s in said_of.items()}
    one = evaluated(PAIRS, said_of.__getitem__)
    other = evaluated([swapped(pair) for pair in PAIRS], turned.__getitem__)
    assert repr(one) == repr(other)  # NaN is not equal to itself


@given(answers)
def test_questions_are_never_more_often_right_than_cells_allow(said):
    said_of = dict(zip(PAIRS, said, strict=True))
    told = evaluated(PAIRS, said_of.__getitem__).total.told
    assert max(0.0, 2.0 * told.accuracy - 1.0) <= told.q_accuracy + 1e-9
    assert told.q_accuracy <= told.accuracy + 1e-9


def test_tasks_that_are_not_answered_are_at_chance():
    mine = scores_of(PAIRS[:4], lambda pair: "lost" if pair is PAIRS[0] else right(pair))
    (evaluation,) = evaluate_vqa(PAIRS, [mine])
    total = evaluation.total
    assert (total.pairs, total.answered, total.failed) == (6, 4, 1)
    assert both(total.told) == close(3 / 4, 3 / 4)
    assert both(total.told_dropped) == (1.0, 1.0)
    assert both(total.overall) == close((3 + 2 * 0.5) / 6, (3 + 2 * 0.25) / 6)
    assert both(total.overall_dropped) == close((3 + 2 * 0.5) / 5, (3 + 2 * 0.25) / 5)
    silent = evaluation.skills["tracking"]
    assert (silent.answered, both(silent.overall)) == (0, (0.5, 0.25))
    assert silent.told.accuracy != silent.told.accuracy
    assert list(evaluation.tasks) == ["has_motion/pan", "direction/zoom", "tracking/is"]


def test_a_pair_that_an_answered_task_lacks_has_failed():
    (evaluation,) = evaluate_vqa(PAIRS, [scores_of(PAIRS[:3], right)])
    assert (evaluation.total.answered, evaluation.total.failed) == (4, 1)


def test_files_may_have_a_task_or_many_and_clips_may_be_in_folders():
    moved = [replace(p, pos_video=f"/data/{p.pos_video}") for p in PAIRS]
    split = [scores_of(moved[i : i + 2], right, split=str(i)) for i in (0, 2, 4)]
    assert evaluate_vqa(PAIRS, split) == evaluate_vqa(PAIRS, [scores_of(PAIRS, right)])


def test_every_system_is_scored_by_itself():
    files = [scores_of(PAIRS, right, "a"), scores_of(PAIRS[:2], lambda _: "lost", "b")]
    one, other = evaluate_vqa(PAIRS, files)
    assert (one.system, one.total.told.accuracy) == ("a", 1.0)
    assert (other.system, other.total.told.accuracy, other.total.answered) == ("b", 0.0, 2)
    assert evaluate_vqa(PAIRS, []) == ()


def test_answers_to_other_pairs_and_double_answers_are_refused():
    strange = pairs_of(("a/b", ("Why?", "Why not?")))
    with pytest.raises(ScoreError, match=r"file\.json: answers none of the 6 pairs"):
        evaluate_vqa(PAIRS, [scores_of(strange, right)])
    with pytest.raises(ScoreError, match=r"file\.json: answers a pair twice"):
        evaluate_vqa(PAIRS, [scores_of([*PAIRS, PAIRS[0]], right)])
    with pytest.raises(ScoreError, match=r"file\.json: answers a pair twice"):
        evaluate_vqa(PAIRS, [scores_of(PAIRS, right), scores_of(PAIRS[:1], right, split="b")])


# --- answers from records -------------------------------------------------------------------


def record(name, whole):
    made = ClipLabels(name, f"clips/{name}.mp4", whole)
    return Answer(name, made.path, labels=frozenset(whole.labels), record=made)


def system(labels):
    """A system with a record a clip."""
    made = []
    for name, said in labels.items():
        scores = {label: 0.9 if label in said else 0.1 for label in BY_NAME}
        made.append(record(name, ShotLabels(0.0, 1.0, labels=tuple(said), scores=scores)))
    return System("flow + learned", Path("run"), tuple(made))


KNOWN = {
    "p0": ["pan_left", "zoom_in"],
    "n0": ["zoom_out"],
    "p1": ["pan_left"],
    "n1": ["pan_right", "zoom_out"],
}


def test_a_system_answers_what_it_knows_and_nothing_else():
    files = answer_pairs(system(KNOWN), PAIRS)
    assert [(f.metadata.skill_name, f.metadata.task_name) for f in files] == [
        ("has_motion", "pan"),
        ("direction", "zoom"),
    ]
    # The public evaluator keeps one result for each.
    assert len({(f.metadata.model_name, f.metadata.split_name) for f in files}) == len(files)
    first = files[0].scores[0]
    assert first.yes_scores == Cells(0.9, 0.1, pytest.approx(0.1), 0.9)
    assert first.no_scores == Cells(pytest.approx(0.1), 0.9, 0.9, pytest.approx(0.1))
    assert [s.sample_id for s in files[0].scores] == ["0", "1"]
    (evaluation,) = evaluate_vqa(PAIRS, files)
    assert both(evaluation.skills["has_motion"].told) == (1.0, 1.0)
    # The second pair's first clip does not zoom in.
    assert both(evaluation.skills["direction"].told) == (7 / 8, 3 / 4)
    assert evaluation.total.answered == 4


def test_answers_do_not_depend_on_the_task_or_the_order():
    known = system(KNOWN)
    renamed = [replace(pair, skill="x", task="y") for pair in PAIRS[:4]]
    (mixed,) = answer_pairs(known, renamed[::-1])
    plain = [s for f in answer_pairs(known, PAIRS[:4]) for s in f.scores]
    cells = {(s.pos_video, s.pos_question): s.yes_scores for s in mixed.scores}
    assert cells == {(s.pos_video, s.pos_question): s.yes_scores for s in plain}


def test_failed_missing_and_mute_clips_carry_an_error():
    lost = failed(Failure(Reason.TOO_DARK, "Nothing is to be seen."), start=0.0, end=1.0)
    seen = system({"p0": ["pan_left"]})
    dark = replace(seen, answers=(*seen.answers, record("n0", lost)))
    pan, _ = answer_pairs(dark, PAIRS)
    assert [s.error for s in pan.scores] == [
        "n0.mp4: Nothing is to be seen.",
        "p1.mp4: no answer for this clip",
    ]
    assert all(s.yes_scores is s.no_scores is None for s in pan.scores)
    blur = pairs_of(("motion_speed/blur", ("Does the video contain noticeable motion blur?",) * 2))
    (told,) = answer_pairs(system(KNOWN), blur)
    assert told.scores[0].error == "p0.mp4: the record cannot tell"


def test_a_system_of_score_files_has_its_answers_in_them(tmp_path):
    mine, other = scores_of(PAIRS, right, "vlm"), scores_of(PAIRS, lambda _: "lost", "else")
    path, _ = write_scores(tmp_path, mine), write_scores(tmp_path, other)
    ranks = System("vlm", tmp_path, (Answer("p0", "p0.mp4", {"pan_left": 0.7}),))
    assert answer_pairs(ranks, PAIRS) == (replace(mine, where=str(path)),)
    assert answer_pairs(replace(ranks, name="mute"), PAIRS) == ()
