"""The records of a run as tables: one row a clip, nothing that a spreadsheet would run."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from pyarrow.parquet import ParquetFile

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels, Segment, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners import tables
from dollygrip.runners.store import RunStore, StoreError
from dollygrip.runners.tables import to_frame, update_tables, write_tables

FAILURE = Failure(Reason.TOO_DARK, "The picture is black.")


def record(clip_id: str = "a", path: str = "a.mp4", label: str | None = "pan_left") -> ClipLabels:
    about = {
        "estimator": {"name": "e", "hash": "e0"},
        "classifier": {"name": "c", "hash": "c0"},
        "content": {"size": 3, "modified": 1700000000.123456, "hash": "ab"},
        "video": {"size": [4, 2], "duration": 2.5, "rate": 24.0, "codec": "h264"},
    }
    if label is None:
        return ClipLabels(clip_id, path, ShotLabels(0.0, 0.0, failure=FAILURE), provenance=about)
    whole = ShotLabels(
        0.0,
        2.5,
        labels=(label,),
        scores={name: 0.9 if name == label else 0.1 for name in BY_NAME},
        segments=(Segment(label, 0.0, 2.5, 0.9),),
        trust=0.75,
        attributes={"steadiness": "smooth", "net": {"pan": -20.0}},
        caption="The camera pans left.",
    )
    return ClipLabels(clip_id, path, whole, (whole,), about)


HOSTILE = [
    "=cmd|' /C calc'!A0.mp4",
    "+1.mp4",
    "-rf.mp4",
    "@SUM(A1).mp4",
    "\ttab.mp4",
    'quote",comma\nnewline.mp4',
    "<script>alert(1)</script>.mp4",
    "日本語🎬.mp4",
    "not-utf8-\udcff.mp4",
]


def test_tables_hold_one_row_a_clip_and_no_formula(tmp_path):
    with RunStore(tmp_path) as store:
        for i, name in enumerate(HOSTILE):
            store.append(record(f"c{i}", name))
        store.append(record("dark", "dark.mp4", label=None))
    parquet, table = write_tables(tmp_path)
    frame = pd.read_parquet(parquet)
    assert len(frame) == len(HOSTILE) + 1
    assert frame["path"][0] == HOSTILE[0]
    assert frame["pan_left"][0]
    assert frame["score_pan_left"][0] == 0.9
    assert frame["net_pan"][0] == -20.0
    # A clip that failed is not a clip without motion.
    dark = frame.iloc[-1]
    assert dark["failure"] == "too_dark"
    assert dark["failure_message"] == FAILURE.message
    assert frame[list(BY_NAME)].iloc[-1].isna().all()
    assert frame[[f"score_{name}" for name in BY_NAME]].iloc[-1].isna().all()

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(frame)
    for row, name in zip(rows, HOSTILE, strict=False):
        assert not row["path"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row["path"].lstrip("'") == name.replace("\udcff", "?")
        assert row["net_pan"] == "-20.0"  # numbers are not touched


def test_tables_do_not_wait_for_pandas_to_load(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(record())
    code = (
        "import sys, pathlib\n"
        "from dollygrip.runners.tables import write_tables\n"
        "write_tables(pathlib.Path(sys.argv[1]))\n"
        "assert 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_an_empty_run_has_a_table_with_columns(tmp_path):
    RunStore(tmp_path).close()
    assert {"path", "pan_left", "score_pan_left"} <= set(to_frame(tmp_path).columns)
    write_tables(tmp_path)


def with_attributes(clip_id: str, **attributes: object) -> ClipLabels:
    made = record(clip_id)
    return replace(made, whole=replace(made.whole, attributes=attributes))


def test_rows_that_come_in_parts_make_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(tables, "_PARTS_AT_ONCE", 2)
    with RunStore(tmp_path) as store:
        store.append(record("last", label=None))
        for i in range(7):
            store.append(with_attributes(f"c{i}", pace=None if i < 5 else "slow", shake=i or 0.5))
        store.append(with_attributes("new", speeds={"zoom_in": "fast"}))
        store.append(record("last"))
    parquet, table = write_tables(tmp_path)
    frame = pd.read_parquet(parquet)
    assert list(frame["clip_id"]) == [*(f"c{i}" for i in range(7)), "new", "last"]
    assert list(frame["shake"][:7]) == [0.5, 1, 2, 3, 4, 5, 6]
    assert list(frame["pace"][5:7]) == ["slow", "slow"]
    assert frame["speeds_zoom_in"].dropna().to_dict() == {7: "fast"}
    assert ParquetFile(parquet).num_row_groups == 3
    pd.testing.assert_frame_equal(to_frame(tmp_path), frame, check_dtype=False)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(frame.columns)
    assert [row["speeds_zoom_in"] for row in rows[-2:]] == ["fast", ""]
    assert sorted(path.name for path in tmp_path.glob("results*")) == [
        "results.csv",
        "results.jsonl",
        "results.parquet",
    ]


def test_what_the_quick_reader_refuses_is_read_all_the_same(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(with_attributes("a", blur=1.5))
    line = json.loads((tmp_path / "results.jsonl").read_text())
    odd = json.dumps({**line, "clip_id": "b", "attributes": {"blur": 2.75}, "path": "\udcff.mp4"})
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(odd + "\n" + odd.replace('"b"', '"c"').replace("2.75", "NaN") + "\n")
    frame = to_frame(tmp_path)
    assert list(frame["path"]) == ["a.mp4", "?.mp4", "?.mp4"]
    assert list(frame["blur"].fillna(0)) == [1.5, 2.75, 0]


def test_a_record_of_another_schema_makes_no_table(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(replace(record("a"), schema_version=2))
    with pytest.raises(StoreError, match="schema version 2"):
        write_tables(tmp_path)
    assert {path.name for path in tmp_path.glob("*results*")} == {"results.jsonl"}


def test_tables_are_of_the_records_whatever_the_clock_says(tmp_path):
    def rows() -> list[str]:
        return list(pd.read_csv(tmp_path / "results.csv")["clip_id"])

    with RunStore(tmp_path) as store:
        store.append(record("a"))
        update_tables(tmp_path)
        assert rows() == ["a"]
        # The next record comes after the clock was set back by a year, and then on again.
        for clip_id, seconds in (("b", -3.2e7), ("c", 3.2e7)):
            store.append(record(clip_id))
            moved = (tmp_path / "results.jsonl").stat().st_mtime + seconds
            os.utime(tmp_path / "results.jsonl", (moved, moved))
            update_tables(tmp_path)
            assert rows()[-1] == clip_id
        (tmp_path / "results.csv").unlink()
        update_tables(tmp_path)
        assert rows() == ["a", "b", "c"]


def test_tables_of_the_same_records_are_not_written_again(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(record())
    update_tables(tmp_path)
    files = [tmp_path / "results.csv", tmp_path / "results.parquet"]
    before = [path.stat().st_ino for path in files]
    update_tables(tmp_path)
    assert [path.stat().st_ino for path in files] == before


def test_a_full_disk_leaves_the_tables_of_before(tmp_path, monkeypatch):
    with RunStore(tmp_path) as store:
        store.append(record())
        before = [path.read_bytes() for path in write_tables(tmp_path)]
        store.append(record("b"))

    def full(handle):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="disk full"):
        write_tables(tmp_path)
    assert [(tmp_path / f"results.{kind}").read_bytes() for kind in ("parquet", "csv")] == before
    assert not list(tmp_path.glob(".*"))
