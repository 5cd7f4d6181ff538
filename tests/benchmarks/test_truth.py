"""What is known of clips is read from a table, or refused in words."""

import pytest

from benchmarks.truth import read_truth


def test_truth_is_read_with_its_groups(labels_csv) -> None:
    folder = labels_csv(
        {
            "clip": "a.mp4",
            "static": "yes",
            "kind": "real",
            "dynamic_subject": "dominant",
            "tags": "fastlowlighthandheld",
        },
        {"clip": "b.mp4", "roll_cw": "unsure", "kind": "real", "derived": "mirror"},
        columns=("kind", "derived", "dynamic_subject", "tags"),
    )
    first, second = read_truth(folder)
    assert first.answers["static"] is True
    assert first.answers["pan_left"] is False
    assert second.answers["roll_cw"] is None
    tags = ("tag: fast", "tag: lowlight", "tag: handheld")
    assert first.groups == ("kind: real", "subject: dominant", *tags)
    assert second.groups == ("derived copies",)
    assert (first.present, first.unsure) == (("static",), ())
    assert (second.present, second.unsure) == ((), ("roll_cw",))


def test_a_clip_counts_once_in_a_group(labels_csv) -> None:
    folder = labels_csv(
        {"clip": "a", "tags": "tail-tracking slow slow side-tracking"}, columns=("tags",)
    )
    (only,) = read_truth(folder)
    assert only.groups == ("tag: tail-tracking", "tag: slow", "tag: side-tracking")


def test_clips_can_be_chosen(labels_csv) -> None:
    folder = labels_csv({"clip": "a1"}, {"clip": "b"}, {"clip": "a2"})
    assert [t.clip for t in read_truth(folder, only="a*")] == ["a1", "a2"]
    assert [t.clip for t in read_truth(folder, limit=2)] == ["a1", "b"]


@pytest.mark.parametrize(
    ("row", "only", "message"),
    [
        ({"clip": "a", "static": "maybe"}, "*", "labels.csv:2: static is 'maybe'"),
        ({"clip": "a"}, "z*", "no clip"),
    ],
)
def test_a_bad_table_is_an_error_in_words(labels_csv, row, only, message) -> None:
    with pytest.raises(ValueError, match=message):
        read_truth(labels_csv(row), only)


def test_a_table_without_a_primitive_is_an_error(tmp_path) -> None:
    (tmp_path / "labels.csv").write_text("clip,static\na,yes\n")
    with pytest.raises(ValueError, match="pan_left"):
        read_truth(tmp_path)
