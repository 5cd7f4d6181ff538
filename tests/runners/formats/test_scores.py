"""Official score files: what is written is read, what others write is read or refused in a line."""

import json
import math
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.runners.formats.scores import (
    NO_SCORE,
    Captions,
    CaptionSample,
    Cells,
    ClassificationSample,
    ClassificationScores,
    Metadata,
    ScoreError,
    VqaSample,
    VqaScores,
    read_scores,
    write_scores,
)

ABOUT = Metadata("flow + learned", "Pan_Left", "dollygrip", "", "2026-01-01T00:00:00+00:00")
SAMPLE = ClassificationSample("0", "a.mp4", "Does it pan?", "yes", "me", 0.25)
PAIR = VqaSample(
    *("0", "a.mp4", "b.mp4", "Is it so?", "Is it not?", "me"),
    yes_scores=Cells(0.9, 0.2, 0.1, 0.8),
    no_scores=Cells(0.1, 0.8, 0.9, 0.2),
)
CAPTION = CaptionSample("0", "a.mp4", "What is it?", "It pans.", "me", "The camera pans.")


def binary(*samples, **about):
    return ClassificationScores(replace(ABOUT, **about), samples or (SAMPLE,))


@pytest.fixture
def file(tmp_path):
    """Writes data as the file of somebody else."""

    def write(data, name="classification_scores_x.json"):
        path = tmp_path / name
        text = data if isinstance(data, str) else json.dumps(data)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def foreign(**changed):
    """A file as the benchmark's own scripts write it, with something changed in its entry."""
    entry = {
        "video_path": "a.mp4",
        "question": "Does it pan?",
        "ground_truth_label": "Yes",
        "method": "vlm",
        "score": 0.5,
        "error": None,
    } | changed
    about = {"model_name": "vlm-7b", "checkpoint": None, "split_name": "Pan_Left", "extra": [1]}
    return {"metadata": about, "scores": [{k: v for k, v in entry.items() if v is not ...}]}


# --- what is written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scores",
    [
        binary(SAMPLE, replace(SAMPLE, sample_id="1", score=None, error="It is black.")),
        VqaScores(
            replace(ABOUT, skill_name="has_motion", task_name="has_pan_left"),
            (PAIR, replace(PAIR, yes_scores=None, no_scores=None, error="a.mp4: lost")),
        ),
        Captions(
            replace(ABOUT, split_name=""),
            (CAPTION, replace(CAPTION, generated_caption="", error="lost")),
        ),
    ],
)
def test_what_is_written_is_read(tmp_path, scores):
    path = write_scores(tmp_path, scores)
    assert read_scores(path) == read_scores(tmp_path) == (replace(scores, where=str(path)),)


def test_files_have_the_names_and_keys_of_the_public_evaluator(tmp_path):
    vqa = VqaScores(replace(ABOUT, skill_name="s", task_name="t"), (PAIR,))
    captions = Captions(replace(ABOUT, split_name=""), (CAPTION,))
    paths = [write_scores(tmp_path, scores) for scores in (binary(), vqa, captions)]
    assert [path.name for path in paths] == [
        "classification_scores_flow-learned_Pan_Left.json",
        "vqa_retrieval_scores_flow-learned_Pan_Left.json",
        "caption_results_flow-learned.json",
    ]
    first, second, third = (json.loads(path.read_text()) for path in paths)
    about = {"method_type", "model_name", "checkpoint", "split_name", "generation_timestamp"}
    assert first.keys() == {"metadata", "scores"}
    assert first["metadata"].keys() == about
    assert first["scores"][0] == {
        "sample_id": "0",
        "video_path": "a.mp4",
        "question": "Does it pan?",
        "ground_truth_label": "yes",
        "method": "me",
        "score": 0.25,
        "error": None,
    }
    assert second["metadata"].keys() == about | {"skill_name", "task_name"}
    assert second["scores"][0]["yes_scores"] == {
        "pos_text_pos_image": 0.9,
        "pos_text_neg_image": 0.2,
        "neg_text_pos_image": 0.1,
        "neg_text_neg_image": 0.8,
    }
    assert third["metadata"].keys() == about - {"split_name"}
    assert third["captions"][0]["generated_caption"] == "The camera pans."


def test_a_file_is_replaced_not_added_to(tmp_path):
    write_scores(tmp_path, binary())
    write_scores(tmp_path, binary(replace(SAMPLE, score=0.75)))
    assert read_scores(tmp_path)[0].scores[0].score == 0.75
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["../../evil", "a/b", "..", "日本 語", "x" * 500, "a\nb", "-o"])
def test_names_of_systems_stay_inside_the_folder(tmp_path, name):
    path = write_scores(tmp_path, binary(model_name=name))
    assert path.parent == tmp_path
    assert list(tmp_path.iterdir()) == [path]
    assert read_scores(tmp_path)[0].metadata.model_name == name


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_scores_keep_all_their_digits(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("digits")
    written = binary(*(replace(SAMPLE, score=number) for number in numbers))
    path = write_scores(folder, written)
    assert [sample.score for sample in read_scores(path)[0].scores] == numbers


# --- what is read ---------------------------------------------------------------------------


def test_files_of_others_are_read(file):
    (read,) = read_scores(file(foreign(unknown={"a": 1})))
    assert read.metadata == Metadata("vlm-7b", "Pan_Left")
    assert read.scores == (ClassificationSample("", "a.mp4", "Does it pan?", "yes", "vlm", 0.5),)


def test_what_is_true_may_be_unknown(file):
    (read,) = read_scores(file(foreign(ground_truth_label="")))
    assert (read.scores[0].ground_truth_label, read.scores[0].score) == ("", 0.5)


@pytest.mark.parametrize("score", [None, ..., math.nan, math.inf, -math.inf])
def test_an_entry_without_a_number_has_no_score(file, score):
    (read,) = read_scores(file(foreign(score=score)))
    assert (read.scores[0].score, read.scores[0].error) == (None, NO_SCORE)


def test_the_score_of_a_failure_is_not_believed(file):
    # The benchmark's own scripts write 0.0 there.
    (read,) = read_scores(file(foreign(score=0.0, error="CUDA out of memory")))
    assert (read.scores[0].score, read.scores[0].error) == (None, "CUDA out of memory")


@pytest.mark.parametrize("yes", [None, {"pos_text_pos_image": 1.0}])
def test_a_pair_lacking_one_of_its_numbers_has_no_score(file, yes):
    cells = dict.fromkeys(("pos_text_pos_image", "pos_text_neg_image"), 0.5)
    entry = {
        **dict.fromkeys(("pos_video", "neg_video", "pos_question", "neg_question"), "x"),
        "yes_scores": yes,
        "no_scores": cells,
    }
    (read,) = read_scores(file({"metadata": {"model_name": "m"}, "scores": [entry]}))
    assert (read.scores[0].yes_scores, read.scores[0].error) == (None, NO_SCORE)


def test_models_and_checkpoints_tell_systems_apart(file, tmp_path):
    for i, checkpoint in enumerate((None, "you/tuned", "you/tuned-more")):
        data = foreign()
        data["metadata"]["checkpoint"] = checkpoint
        file(data, f"classification_scores_{i}.json")
    names = [scores.metadata.system for scores in read_scores(tmp_path)]
    assert names == ["vlm-7b", "vlm-7b tuned", "vlm-7b tuned-more"]


def test_the_same_split_twice_is_refused(file, tmp_path):
    first, second = (file(foreign(), f"classification_scores_{i}.json") for i in "ab")
    with pytest.raises(ScoreError, match=rf"^{second}: the same system and split as {first}$"):
        read_scores(tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"score": "0.5"}, r"scores\[0\]: score is '0.5', no number"),
        ({"score": True}, r"scores\[0\]: score is True, no number"),
        ({"score": 10**400}, r"scores\[0\]: score is too large"),
        ({"score": [0.5]}, r"scores\[0\]: score is a list, no number"),
        ({"ground_truth_label": "maybe"}, r"ground_truth_label is 'maybe', not yes or no"),
        ({"ground_truth_label": ...}, r"ground_truth_label is None, no text"),
        ({"video_path": ...}, r"scores\[0\]: video_path is None, no text"),
        ({"video_path": 3}, r"scores\[0\]: video_path is 3, no text"),
        ({"error": {"a": 1}}, r"scores\[0\]: error is a dict, no text"),
        ({"question": "x" * 30_000}, r"scores\[0\]: question has more than 20000 characters"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_in_one_line(file, changed, said):
    path = file(foreign(**changed))
    with pytest.raises(ScoreError, match=said) as refused:
        read_scores(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "a list is no object"),
        ("{}", "metadata: None is no object"),
        ({"metadata": {}, "scores": []}, "lacks model_name"),
        ({"metadata": {"model_name": "m"}}, "it has no list of scores"),
        ({"metadata": {"model_name": "m"}, "scores": []}, "it has no list of scores"),
        ({"metadata": {"model_name": "m"}, "captions": {}}, "it has no list of captions"),
        ({"metadata": {"model_name": "m"}, "scores": [3]}, r"scores\[0\]: 3 is no object"),
        ({"metadata": {"model_name": 3}, "scores": [3]}, "metadata: model_name is 3, no text"),
        ('{"metadata": {}, "metadata": {}}', "has 'metadata' twice"),
        ("[" + "[]," * 4_000_001 + "[]]", "more than 4000000 values"),
    ],
)
def test_what_is_no_score_file_is_refused(file, data, said):
    path = file(data)
    with pytest.raises(ScoreError, match=said) as refused:
        read_scores(path)
    assert str(refused.value).startswith(str(path))


def test_what_is_no_text_or_no_file_is_refused(tmp_path):
    pipe, bytes_, empty, huge = (tmp_path / name for name in ("pipe", "bytes", "empty", "huge"))
    os.mkfifo(pipe)
    with huge.open("wb") as file:
        file.truncate(2**40)
    bytes_.write_bytes(b"\xff\xfe{}")
    empty.mkdir()
    for path, said in (
        (pipe, "no regular file"),
        (huge, "more than 64 MB"),
        (bytes_, "not UTF-8"),
        (empty, r"holds no classification_scores_\*.json"),
        (tmp_path / "none", "No such file"),
    ):
        with pytest.raises(ScoreError, match=said):
            read_scores(path)


def test_whatever_is_damaged_is_read_or_refused_in_a_line(tmp_path):
    chance = random.Random(0)
    vqa = VqaScores(replace(ABOUT, skill_name="s", task_name="t"), (PAIR, PAIR))
    whole = [write_scores(tmp_path, scores).read_bytes() for scores in (binary(), vqa)]
    path, refused = tmp_path / "damaged.json", 0
    for _ in range(400):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 4)] = chance.choice(
                (b"", b"\xff", b"null", b"1e999", b"-", b'"', b"[", b"}", b"NaN", b'"a":')
            )
        path.write_bytes(data)
        try:
            read_scores(path)
        except ScoreError as error:
            refused += 1
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
    assert 200 < refused < 400
