"""Timelines against what happens when, made up by hand and from clips."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import timeline as subject
from benchmarks.__main__ import main
from benchmarks.labelling import Verdict
from benchmarks.stories import FILE, Story, Stretch, read_stories, write_stories
from benchmarks.timeline import clip_lists, compare, result, tables, timing
from dollygrip.classifiers.records import Segment

STORY = Story(
    "a.mp4",
    (
        Stretch("pan_left", 0.0, 2.0),
        Stretch("tilt_up", 2.0, 3.0),
        Stretch("static", 3.0, 4.0, sure=False),
    ),
)


def told(motion: str, start: float, end: float) -> Segment:
    return Segment(motion, start, end, 1.0)


def test_what_is_told_at_the_right_time_is_found() -> None:
    compared = compare(STORY, [told("pan_left", 0.0, 2.2), told("tilt_up", 1.9, 3.0)])
    assert (len(compared.found), compared.missed, compared.invented) == (2, (), ())
    found = timing([compared])
    assert (found.found, found.missed, found.invented, found.f1) == (2, 0, 0, 1.0)
    # The clip's own start counts for nothing; the borders inside are 0.2, 0.1 and 0 off.
    assert sorted(compared.errors) == pytest.approx([0.0, 0.1, 0.2])
    assert found.error == pytest.approx(0.1)


def test_what_is_told_at_another_time_or_as_something_else_is_missed_and_invented() -> None:
    compared = compare(STORY, [told("pan_left", 1.5, 4.0), told("tilt_down", 2.0, 3.0)])
    found = timing([compared])
    assert (found.found, found.missed, found.invented, found.f1) == (0, 2, 2, 0.0)
    assert np.isnan(found.error)


def test_what_need_not_be_told_is_neither_missed_nor_invented() -> None:
    needed = [told("pan_left", 0.0, 2.0), told("tilt_up", 2.0, 3.0)]
    for segments in (needed, [*needed, told("static", 3.0, 4.0)]):
        found = timing([compare(STORY, segments)])
        assert (found.found, found.missed, found.invented) == (2, 0, 0)
    elsewhere = timing([compare(STORY, [*needed, told("static", 0.0, 2.0)])])
    assert elsewhere.invented == 1


def test_moves_made_of_two_and_shake_are_apart() -> None:
    story = Story("a", (Stretch("arc_cw", 0.0, 2.0), Stretch("truck_left", 0.0, 2.0)))
    segments = [told("shaky", 0.0, 2.0), told("truck_left", 0.0, 2.0)]
    found = result([compare(story, segments)], [()])
    assert (found.primitives.f1, found.combined.f1) == (1.0, 0.0)
    assert set(found.motions) == {"truck_left", "arc_cw"}
    assert found.wrong == []


def test_the_report_tells_of_groups_labels_and_clips() -> None:
    good = compare(STORY, [told("pan_left", 0.0, 2.0), told("tilt_up", 2.0, 3.0)])
    bad = compare(Story("b.mp4", STORY.stretches), [])
    found = {"flow, threshold": result([good, bad], [("tag: good",), ("tag: bad",)])}
    assert found["flow, threshold"].groups["tag: good"].f1 == 1.0
    assert found["flow, threshold"].groups["tag: bad"].f1 == 0.0
    text = tables(found)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert " 0.667 " in rows["F1 at IoU 0.5"]
    assert " 1 " in rows["tilt_up"]
    assert "b.mp4 | pan_left 0.00-2.00, tilt_up 2.00-3.00" in clip_lists(found)


def test_stories_are_read_as_they_were_written(tmp_path: Path) -> None:
    other = Story("b.mp4", ())
    assert write_stories(tmp_path, [other, STORY]) == tmp_path / FILE
    assert read_stories(tmp_path) == {"a.mp4": STORY, "b.mp4": other}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"clip": "a"}',
        '{"segments": []}',
        '{"clip": "a", "segments": [{"motion": "pan_left", "start": 0, "end": 1}]}',
        '{"clip": "a", "segments": [{"motion": "swim", "start": 0, "end": 1, "sure": true}]}',
        '{"clip": "a", "segments": [{"motion": "pan_left", "start": 0, "end": 0, "sure": true}]}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    write_stories(tmp_path, [STORY])
    with (tmp_path / FILE).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"segments\.jsonl, line 2: "):
        read_stories(tmp_path)


def test_clips_are_labelled_and_matched(
    labels_csv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = labels_csv({"clip": "a.mp4", "tags": "turn"}, columns=("tags",))
    write_stories(folder, [STORY])
    segments = (told("pan_left", 0.0, 2.0), told("tilt_up", 2.0, 3.0))
    monkeypatch.setattr(subject, "label_all", lambda *_: [Verdict(segments=segments)])
    assert main(["timeline", str(folder), "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "timeline.json").read_text())["flow, threshold"]
    assert (found["primitives"]["f1"], found["groups"]["tag: turn"]["found"]) == (1.0, 2)
    assert "tag: turn" in (tmp_path / "out" / "timeline.md").read_text()


def test_a_clip_without_a_story_is_named_before_the_work_starts(
    labels_csv, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = labels_csv({"clip": "a.mp4"}, {"clip": "b.mp4"})
    write_stories(folder, [STORY])
    assert main(["timeline", str(folder)]) == 1
    assert "nothing of b.mp4" in capsys.readouterr().err
