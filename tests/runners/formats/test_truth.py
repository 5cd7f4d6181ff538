"""Label files are read for what they say and no more, or refused in one line that says where."""

import json
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, PRIMITIVES
from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.formats.truth import (
    LabelError,
    LabelledClip,
    Question,
    match,
    read_labels,
)
from dollygrip.runners.systems import Answer

TABLE = "clip,pan_left,arc_cw,tags\nb.mp4,yes,unsure,slow; handheld\na.mp4,no,,\n"


@pytest.fixture
def written(tmp_path):
    """Writes a label file."""

    def write(content, name="labels"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


def objects(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def item(clip, task, label):
    return {"image": clip, "question": "?", "label": label, "task": task, "label_name": "cam.x"}


# --- what is read ---------------------------------------------------------------------------


def test_a_table_is_read_in_its_order_with_its_other_columns(written):
    second, first = read_labels(written(TABLE))
    assert (second.clip, first.clip) == ("b.mp4", "a.mp4")
    assert second.answers == {"pan_left": True, "arc_cw": None}
    assert first.answers == {"pan_left": False, "arc_cw": None}
    assert (second.extra, first.extra) == ({"tags": "slow; handheld"}, {"tags": ""})


def test_items_keep_their_question_and_their_line(written):
    rows = [item("b.mp4", "Pan Left", "Yes"), item("a.mp4", "Pan Left", "No")]
    written(objects(*rows), "binary_classification/Pan_Left.jsonl")
    other = item("a.mp4", "Static", "No") | {"question": "Is it still?"}
    folder = written("\n" + objects(other), "binary_classification/Static.jsonl").parents[1]
    second, first = read_labels(folder)
    assert second.questions == {"pan_left": Question(1, "?")}
    assert first.questions == {"pan_left": Question(2, "?"), "static": Question(2, "Is it still?")}
    assert read_labels(written(TABLE))[0].questions == {}


def test_whatever_has_an_id_and_a_path_is_matched(written):
    answers = [Answer("a", "clips/a.mp4"), Answer("b", "clips/b.mp4")]
    found = match(read_labels(written(TABLE)), answers)
    assert [answer.path for _, answer in found] == ["clips/b.mp4", "clips/a.mp4"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *((word, True) for word in ("yes", "true", "1", "Yes", " TRUE ")),
        *((word, False) for word in ("no", "false", "0", "No")),
        *((word, None) for word in ("unsure", "", " ")),
    ],
)
def test_answers_are_said_in_many_ways(written, said, meant):
    for text in (f"clip,pan_left\na,{said}\n", objects({"clip": "a", "pan_left": said})):
        (only,) = read_labels(written(text))
        assert only.answers == {"pan_left": meant}


def test_quoted_cells_a_byte_order_mark_and_foreign_line_ends_are_fine(written):
    text = '\ufeffclip,note,pan_left\r\n"a, b.mp4","two\r\nlines, ""quoted""",yes\r\n\r\n'
    (only,) = read_labels(written(text))
    assert (only.clip, only.answers) == ("a, b.mp4", {"pan_left": True})
    assert "quoted" in only.extra["note"]


def test_objects_with_a_key_a_label_say_only_what_they_name(written):
    rows = (
        {"clip": "a", "pan_left": True, "tilt_up": 0, "seconds": 3.5},
        {"clip": "b", "pan_left": None, "tags": ["x"]},
    )
    first, second = read_labels(written(objects(*rows)))
    assert first.answers == {"pan_left": True, "tilt_up": False}
    assert second.answers == {"pan_left": None}
    assert (first.extra, second.extra) == ({"seconds": "3.5"}, {"tags": '["x"]'})


def test_a_list_of_labels_leaves_out_what_is_not_there(written):
    rows = (
        {"clip": "a", "labels": ["pan_left", "shaky"], "unsure": ["dolly_in"], "tags": "t"},
        {"clip": "b", "labels": []},
    )
    first, second = read_labels(written(objects(*rows)))
    assert {n for n, answer in first.answers.items() if answer} == {"pan_left", "shaky"}
    assert first.answers["dolly_in"] is None
    assert first.extra == {"tags": "t"}
    # Nobody asked about arcs, so nobody denied them.
    assert second.answers == dict.fromkeys([*PRIMITIVES, "shaky"], False)


def test_camerabench_leaves_unsure_what_it_does_not_ask(tmp_path, written):
    folder = "camerabench/binary_classification"
    written(
        objects(item("a.1.4.mp4", "Move Up", "Yes"), item("b.mp4", "Move Up", "No")),
        f"{folder}/Move_Up.jsonl",
    )
    written(objects(item("a.1.4.mp4", "Static", "No")), f"{folder}/Static.jsonl")
    for source in (tmp_path / "camerabench", tmp_path / folder):
        first, second = read_labels(source)
        assert (first.clip, first.answers) == ("a.1.4.mp4", {"pedestal_up": True, "static": False})
        assert second.answers == {"pedestal_up": False}


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_task_of_camerabench_has_its_label(written, name):
    task = BY_NAME[name].camerabench.replace("_", " ")
    (only,) = read_labels(written(objects(item("a", task, "Yes"))))
    assert only.answers == {name: True}


answers = st.dictionaries(
    st.sampled_from([d.name for d in DEFINITIONS]), st.sampled_from([True, False, None]), min_size=1
)


@given(clips=st.lists(answers, min_size=1, max_size=4))
def test_tables_and_objects_say_the_same(tmp_path_factory, clips):
    folder = tmp_path_factory.mktemp("same")
    names = [d.name for d in DEFINITIONS if any(d.name in clip for clip in clips)]
    words = {True: "yes", False: "no", None: "unsure"}
    table = [",".join(["clip", *names])]
    table += [
        ",".join([f"{i}.mp4", *(words[clip.get(name)] for name in names)])
        for i, clip in enumerate(clips)
    ]
    (folder / "t").write_text("\n".join(table))
    (folder / "o").write_text(
        objects(*({"clip": f"{i}.mp4", **clip} for i, clip in enumerate(clips)))
    )
    read = [
        [{name: clip.answers.get(name) for name in names} for clip in read_labels(folder / file)]
        for file in ("t", "o")
    ]
    assert read[0] == read[1] == [{n: clip.get(n) for n in names} for clip in clips]


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip,pan_left\na,maybe\n", "labels:2: pan_left is 'maybe'"),
        ("clip,pan_left\na,yes\nb,yes\na,no\n", "labels:4: 'a' is at .*labels:2"),
        ("clip,pan_lft\na,yes\n", "labels:1: 'pan_lft' is no label; perhaps pan_left"),
        ("clip,Pan Left\na,yes\n", "perhaps pan_left"),
        ("clip,pan_left,pan_left\na,yes,no\n", "labels:1: has 'pan_left' twice"),
        ("name,pan_left\na,yes\n", "labels:1: lacks 'clip'"),
        ("clip,tags\na,x\n", "labels:1: names none of the labels"),
        ("clip,pan_left\na,yes,no\n", "labels:2: 3 columns"),
        ("clip,pan_left\na\n", "labels:2: 1 columns"),
        ("clip,pan_left\n,yes\n", "labels:2: the clip is ''"),
        ('clip,pan_left\n"a"b,yes\n', "labels:2: no CSV"),
        ('clip,pan_left\n"a,yes\n', "labels:2: no CSV"),
        ("clip,pan_left\n", "names no clip"),
        ("", "empty"),
        ("\n \n", "empty"),
        (b"clip,pan_left\n\xff\xfe,yes\n", "not UTF-8"),
        (b"clip,pan_left\na\0b,yes\n", "binary"),
        ("clip,pan_left\n" + "a" * 100_000, "labels:2: a line of more"),
        ('{"clip": "a", "labels": ["pan"]}\n', "labels:1: 'pan' is no label"),
        ('{"clip": "a", "labels": ["pan_left", "pan_left"]}\n', "pan_left is listed twice"),
        ('{"clip": "a", "labels": ["pan_left"], "unsure": ["pan_left"]}\n', "listed twice"),
        ('{"clip": "a", "labels": "pan_left"}\n', "labels is 'pan_left', no list"),
        ('{"clip": "a", "labels": [[]]}\n', r"\[\] is no label"),
        ('{"clip": "a", "labels": [], "pan_left": true}\n', "both a list of labels and"),
        ('{"clip": "a", "pan_left": 2}\n', "labels:1: pan_left is 2"),
        ('{"clip": "a", "pan_left": 1.0}\n', r"pan_left is 1\.0"),
        ('{"clip": "a", "pan_left": [true]}\n', r"pan_left is \[True\]"),
        ('{"clip": "a", "pan_left": true, "pan_left": false}\n', "'pan_left' twice"),
        ('{"clip": 7, "pan_left": true}\n', "the clip is 7"),
        ('{"clip": "a", "pan_left": true}\n[1]\n', r"labels:2: no object, but \[1\]"),
        ('{"clip": "a", "pan_left": true}\n{"clip"\n', "labels:2: no JSON"),
        ('{"clip": "a", "x": ' + "[" * 30_000, "labels:1: nested too deeply"),
        ('{"clip": "a", "pan_left": ' + "9" * 5000 + "}", "labels:1: "),
        (objects(item("a", "Fly", "Yes")), "task is 'Fly'"),
        (objects(item("a", "Move Up", "Maybe")), "label is 'Maybe'"),
        (objects(item("a", "Move Up", ["Yes"])), r"label is \['Yes'\]"),
        (objects(item([], "Move Up", "Yes")), r"the clip is \[\]"),
        (
            objects(item("a", "Move Up", "Yes"), item("a", "Move Up", "No")),
            "labels:2: pedestal_up of 'a' is at .*labels:1",
        ),
        (objects(item("a", "Move Up", "Yes"), {"clip": "a", "labels": []}), "labels:2: 'a' is at"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(written, text, said):
    with pytest.raises(LabelError, match=said) as error:
        read_labels(written(text))
    message = str(error.value)
    assert "labels" in message.split(": ")[0]
    assert "\n" not in message
    assert len(message.replace(str(written(b"").parent), "")) < 400


def test_files_that_are_none_are_refused(tmp_path, written, monkeypatch):
    with pytest.raises(LabelError, match=r"nowhere.*No such file"):
        read_labels(tmp_path / "nowhere.csv")
    with pytest.raises(LabelError, match="binary_classification"):
        read_labels(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LabelError, match="no regular file"):
        read_labels(tmp_path / "pipe")
    huge = written("clip,pan_left\na,yes\n")
    os.truncate(huge, 100 * 2**20)
    with pytest.raises(LabelError, match="100 MB are too large"):
        read_labels(huge)


def test_damaged_files_are_read_or_refused_in_words(written):
    rng = random.Random(7)
    good = [
        TABLE,
        objects({"clip": "a", "labels": ["pan_left"]}, {"clip": "b", "pan_left": True}),
        objects(item("a", "Move Up", "Yes"), item("b", "Static", "No")),
    ]
    for text in good:
        for _ in range(200):
            data = bytearray(text.encode())
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                read_labels(written(bytes(data)))
            except LabelError as error:
                assert "\n" not in str(error)


# --- joined with a run ----------------------------------------------------------------------


def record(path, clip_id=None):
    whole = failed(Failure(Reason.MISSING, "none"), start=0.0, end=0.0)
    return ClipLabels(clip_id or path.replace("/", "_"), path, whole)


def labelled(*names):
    return [LabelledClip(name, {"pan_left": True}, where=f"t:{i}") for i, name in enumerate(names)]


def joined(names, *records):
    return [found and found.path for _, found in match(labelled(*names), records)]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a-12ab", "x/a.mp4"),
        ("x/a.mp4", "x/a.mp4"),
        ("a.mp4", "x/a.mp4"),
        ("a", "x/a.mp4"),
        ("/elsewhere/x/a.mp4", "x/a.mp4"),
        ("a.webm", "x/a.mp4"),
        ("b.1.4", "y/b.1.4.mp4"),
        ("b.1.4.mp4", "y/b.1.4.mp4"),
        ("y/./c.mp4", "y/c.mp4"),
        ("b.1", None),
        ("d.mp4", None),
    ],
)
def test_a_clip_is_found_by_id_path_name_or_stem(name, path):
    run = (record("x/a.mp4", "a-12ab"), record("y/b.1.4.mp4"), record("y/c.mp4"))
    assert joined([name], *run) == [path]


def test_folders_tell_clips_of_one_name_apart():
    run = (record("in/x/a.mp4"), record("in/y/a.mp4"), record("a.mp4"))
    names = ["/data/in/y/a.mp4", "x/a.mp4", "a.mp4"]
    assert joined(names, *run) == ["in/y/a.mp4", "in/x/a.mp4", "a.mp4"]


def test_a_name_that_fits_two_records_is_an_error_that_names_both():
    with pytest.raises(LabelError, match=r"t:0: 'a\.mp4' may be x/a\.mp4 or y/a\.mp4"):
        joined(["a.mp4"], record("x/a.mp4"), record("y/a.mp4"))
    with pytest.raises(LabelError, match=r"'a' may be x/a\.mp4 or x/a\.mov"):
        joined(["a"], record("x/a.mp4"), record("x/a.mov"))


def test_two_clips_of_one_record_are_an_error_that_names_both():
    with pytest.raises(LabelError, match=r"t:1: 'a' is x/a\.mp4, as 'a\.mp4'"):
        joined(["a.mp4", "a"], record("x/a.mp4"))


@given(st.permutations(["x/a.mp4", "y/b.mp4", "y/a.mov", "c.mp4"]))
def test_the_order_of_the_records_does_not_matter(paths):
    names = ["a.mp4", "b", "y/a.mov", "c.mp4"]
    expected = ["x/a.mp4", "y/b.mp4", "y/a.mov", "c.mp4"]
    assert joined(names, *map(record, paths)) == expected
