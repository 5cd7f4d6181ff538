"""What is said when a run has ended: how many, why not, and what to do next."""

import json
import shlex
import sys
from collections import Counter

import pytest

from dollygrip import console
from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.commands.records import Again, Tally, print_records, report

TYPED = ["label", "my clips", "-o", "run"]


def record(path: str, *labels: str, failure: Failure | None = None) -> ClipLabels:
    return ClipLabels(path, path, ShotLabels(0.0, 1.0, labels=labels, failure=failure))


def failed(reason: Reason, message: str = "why", path: str = "bad.mp4") -> ClipLabels:
    return record(path, failure=Failure(reason, message))


def tally_of(*records: ClipLabels, **kept) -> Tally:
    tally = Tally(**kept)
    for each in records:
        tally.count(each)
    return tally


def test_all_is_counted_and_the_kept_ones_with_it(capsys):
    tally = tally_of(
        record("a.mp4", "pan_left", "shaky"),
        record("b.mp4", "pan_left"),
        record("c.mp4"),
        failed(Reason.TIMED_OUT, "took longer than 5 s"),
        failed(Reason.TIMED_OUT, path="other.mp4"),
        kept=1000,
        labels=Counter(static=900, pan_left=50),
        failures=Counter(no_video=10),
    )
    assert report(tally, "run") == console.SOME_FAILED
    assert capsys.readouterr().err.splitlines() == [
        "993 labelled, 12 failed (1,000 of them kept from earlier); results are in run",
        "labels: static 900, pan_left 52, shaky 1, none 1",
        "failed: 10 no_video",
        "failed: 2 timed_out, such as bad.mp4: took longer than 5 s",
        "next: dollygrip show run",
    ]


def test_all_went_well(capsys):
    assert report(tally_of(record("a.mp4", "static")), "-r", Again(TYPED)) == console.OK
    assert capsys.readouterr().err.splitlines() == [
        "1 labelled, 0 failed; results are in -r",
        "labels: static 1",
        "next: dollygrip show -- -r",
    ]


def test_it_stays_short_whatever_happens(capsys):
    every = [failed(reason, "x\n" * 99, "na\x1b[5m\nme.mp4") for reason in Reason]
    report(tally_of(record("a.mp4", *BY_NAME), *every), "run", Again(TYPED), shard="2/8")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 25
    assert all(line.isprintable() for line in lines)
    # Each label with its number, none torn from it at the end of a line.
    listed = [line for line in lines if line.startswith(("labels: ", "        "))]
    assert " ".join(listed).count(" 1") == len(BY_NAME)
    assert all(len(line) <= 120 and line.rstrip(",").endswith(" 1") for line in listed)
    assert any("2/8" in line for line in lines)


def following(capsys, tally: Tally, again: Again, **more) -> str:
    report(tally, "run", again, **more)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("next: ")
    return last.removeprefix("next: ")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.NO_VIDEO, "dollygrip show run"),
        (Reason.NOT_READABLE, "dollygrip label 'my clips' -o run --retry-failed"),
        (Reason.TIMED_OUT, "dollygrip label 'my clips' -o run --retry-failed --timeout 1200"),
        (Reason.OUT_OF_MEMORY, "dollygrip label 'my clips' -o run --retry-failed --memory 4000"),
    ],
)
def test_what_to_do_next_depends_on_what_failed(capsys, reason, expected):
    again = Again(TYPED, timeout=600.0, memory_mb=2000)
    assert following(capsys, tally_of(failed(reason)), again) == expected


def test_without_a_limit_none_is_raised(capsys):
    tally = tally_of(failed(Reason.TIMED_OUT), failed(Reason.OUT_OF_MEMORY))
    assert following(capsys, tally, Again(TYPED)).endswith("-o run --retry-failed")


def test_a_run_that_was_stopped_says_how_much_is_left(capsys):
    report(tally_of(record("a", "static")), "run", Again(TYPED), stopped=True, left=1234)
    assert "1 labelled, 0 failed, 1,234 left; results are in run" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_typed_is_not_named_wrongly(capsys):
    report(tally_of(record("a", "static")), "a\nb")
    assert capsys.readouterr().err.endswith("next: dollygrip show RUN\n")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (TYPED, "dollygrip label 'my clips' -o run"),
        # Not what would forget all that was done.
        (["label", "x", "--restart"], "dollygrip label x"),
        (["label", "x", "--rest"], "dollygrip label x"),
        (["label", *map(str, range(999))], "the same command"),
        (["label", "x\x1b[5m"], "the same command"),
        # What was piped into it is not known.
        (["label", "-", "-o", "run"], "the same command"),
    ],
)
def test_a_run_that_was_stopped_goes_on(capsys, typed, expected):
    tally = tally_of(failed(Reason.TIMED_OUT))
    assert following(capsys, tally, Again(typed), stopped=True) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["label", "--", "-x"], "dollygrip label --retry-failed --timeout 10 -- -x"),
        (["label", "--ret", "x"], "dollygrip label --ret x --timeout 10"),
        (
            ["label", "--timeout", "5", "x", "--timeout=5", "--", "--timeout"],
            "dollygrip label x --retry-failed --timeout 10 -- --timeout",
        ),
        (["label", "x" * 999], "the same command with --retry-failed --timeout 10"),
    ],
)
def test_options_are_added_where_they_count(capsys, typed, expected):
    tally = tally_of(failed(Reason.TIMED_OUT))
    assert following(capsys, tally, Again(typed, timeout=5.0)) == expected


def test_what_is_said_to_be_typed_can_be(capsys):
    typed = ["label", "it's; rm -rf $HOME", "-o", "a b"]
    said = following(capsys, tally_of(failed(Reason.MISSING)), Again(typed))
    assert shlex.split(said) == ["dollygrip", *typed, "--retry-failed"]


def test_a_program_that_no_shell_finds_is_named_by_its_path(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my env/bin/dollygrip", *TYPED])
    monkeypatch.setenv("PATH", "")
    tally = tally_of(failed(Reason.NO_VIDEO))
    assert following(capsys, tally, Again(TYPED)) == "'my env/bin/dollygrip' show run"


def test_in_a_log_the_summary_is_one_event(capsys):
    console.log_as("json")
    try:
        tally = tally_of(record("a", "static"), failed(Reason.NO_VIDEO), kept=3)
        report(tally, "run\udcff", Again(TYPED), stopped=True)
    finally:
        console.log_as("text")
    [line] = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert event.pop("time")
    assert event.pop("seconds") >= 0
    assert event == {
        "event": "finished",
        "labelled": 4,
        "failed": 1,
        "kept": 3,
        "labels": {"static": 1},
        "failures": {"no_video": 1},
        "run": "run\udcff",
        "stopped": True,
        "next": "dollygrip label 'my clips' -o run",
    }


def test_the_table_ends_where_it_would_scroll_away(capsys):
    tally = print_records((record(f"{i}.mp4", "static") for i in range(150)), as_json=False)
    assert (tally.new, tally.labelled) == (150, 150)
    out = capsys.readouterr().out
    assert out.count("static") == 100
    assert "and 50 more" in out


def test_the_table_shows_what_is_kept_too(capsys):
    kept = Tally(kept=3, labels=Counter(static=3))
    earlier = [record("old.mp4", "static")]
    tally = print_records([record("new.mp4", "pan_left")], False, kept, earlier)
    assert (tally.new, tally.labelled, tally.labels["static"]) == (1, 4, 3)
    out = capsys.readouterr().out
    assert "old.mp4" in out
    assert "new.mp4" in out
    assert "and 2 more" in out
