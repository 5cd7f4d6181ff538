"""Pairs and captions of the benchmark are read for what they say, or refused in one line."""

import json

import pytest

from dollygrip.runners.formats.pairs import Description, Pair, read_descriptions, read_pairs
from dollygrip.runners.formats.truth import LabelError

LINE = {
    "skill": "another name",
    "pos_video": "a.mp4",
    "neg_video": "b.mp4",
    "pos_question": "Is it?",
    "neg_question": "Is it not?",
    "images": ["a.mp4", "b.mp4"],
}


@pytest.fixture
def task(tmp_path):
    """Writes the lines of a task."""

    def write(*lines, skill="has_motion", name="has_pan"):
        path = tmp_path / "vqa_and_retrieval" / skill / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines))
        return path

    return write


def test_folders_are_skills_and_files_are_tasks(task, tmp_path):
    second = task(LINE, "", LINE | {"neg_video": "c.mp4"}, skill="only", name="only_pan")
    first = task(LINE)
    texts = ("Is it?", "Is it not?")
    assert read_pairs(tmp_path) == (
        Pair("has_motion", "has_pan", "a.mp4", "b.mp4", *texts, f"{first}:1"),
        Pair("only", "only_pan", "a.mp4", "b.mp4", *texts, f"{second}:1"),
        Pair("only", "only_pan", "a.mp4", "c.mp4", *texts, f"{second}:3"),
    )


def test_a_folder_without_pairs_or_captions_has_none(tmp_path):
    assert read_pairs(tmp_path) == ()
    assert read_descriptions(tmp_path) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ("[" * 60_000, "nested too deeply"),
        (LINE | {"pos_video": None}, "pos_video is no text"),
        (LINE | {"neg_question": " "}, "neg_question is no text"),
        (LINE | {"neg_question": "x" * 30_000}, "neg_question is no text of 1 to 20000"),
        ({"pos_video": "a.mp4"}, "neg_video is no text"),
        ('{"pos_video": "a", "pos_video": "b"}', "has 'pos_video' twice"),
    ],
)
def test_a_bad_line_is_named(task, tmp_path, line, said):
    path = task(LINE, line)
    with pytest.raises(LabelError, match=said) as refused:
        read_pairs(tmp_path)
    assert str(refused.value).startswith(f"{path}:2: ")


def test_captions_are_read_in_order(tmp_path):
    said = [{"video": v, "question": "What?", "answer": v.upper()} for v in ("b.mp4", "a.mp4")]
    file = tmp_path / "caption_data.json"
    file.write_text(json.dumps(said))
    assert read_descriptions(tmp_path) == (
        Description("b.mp4", "What?", "B.MP4", f"{file}: [0]"),
        Description("a.mp4", "What?", "A.MP4", f"{file}: [1]"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "no list of captions"),
        ("[{}]", r": \[0\]: video is no text"),
        ("nonsense", "no JSON"),
    ],
)
def test_bad_captions_are_refused(tmp_path, text, said):
    path = tmp_path / "caption_data.json"
    path.write_text(text)
    with pytest.raises(LabelError, match=said) as refused:
        read_descriptions(tmp_path)
    assert str(refused.value).startswith(str(path))
