"""What a batch costs is measured on real runs; what is made of it is plain arithmetic."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import batch
from benchmarks.__main__ import main
from benchmarks.processes import Child
from dollygrip.runners.content import content_of
from dollygrip.runners.rendering import write_video

START, CLIP = 2.0, 0.5


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for seed in range(3):
        texture = np.random.default_rng(seed).integers(0, 255, (96, 160, 3), dtype=np.uint8)
        frames = [np.roll(texture, -2 * i, axis=1) for i in range(12)]
        write_video(folder / f"{seed}.mp4", iter(frames), np.arange(12) / 10)
    return folder


@pytest.fixture
def modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that take two seconds to start and end, and half a one for each clip."""

    def labelled(clips: Sequence[Path], workers: int) -> tuple[Child, list[dict[str, Any]]]:
        record = {"provenance": {"video": {"duration": 3.0}, "seconds": CLIP}}
        seconds = START + CLIP * len(clips) / workers
        return Child(seconds, seconds, 100.0 * workers), [record] * len(clips)

    def decoded(command: Sequence[str], fine: Sequence[int], processors: int) -> Child:
        return Child(8.0 if processors == 1 else 5.0, 8.0, 10.0)

    monkeypatch.setattr(batch, "_labelled", labelled)
    monkeypatch.setattr(batch, "run_child", decoded)


def files(folder: Path, count: int) -> list[Path]:
    made = [folder / f"{i}.mp4" for i in range(count)]
    for path in made:
        path.write_text("clip")
    return made


@pytest.mark.usefixtures("modelled")
def test_what_a_run_costs_once_is_told_apart_from_what_a_clip_costs(tmp_path: Path) -> None:
    one, two = batch.measure_throughput(files(tmp_path, 40), [2], repeats=1)
    assert (one.workers, one.efficiency, one.steady_efficiency) == (1, 1.0, 1.0)
    assert two.efficiency == pytest.approx((START + 20) / (2 * (START + 10)))
    # The two smallest clips are left out on both sides: 38 halves of a second against 19.
    assert two.steady_efficiency == pytest.approx(19 / (2 * 9.5))
    assert two.decode_efficiency == pytest.approx(8 / (2 * 5))
    assert one.start_seconds == two.start_seconds == pytest.approx(START)
    assert one.clips_an_hour == pytest.approx(3600 * 40 / (START + 20))
    assert two.realtime == pytest.approx(40 * 3.0 / (START + 10))


@pytest.mark.usefixtures("modelled")
def test_as_many_clips_as_workers_tell_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 clips are too few for 2 workers"):
        batch.measure_throughput(files(tmp_path, 2), [2], repeats=1)


def test_a_made_up_run_tells_each_of_its_clips_as_it_is(clips: Path, tmp_path: Path) -> None:
    made, run = tmp_path / "made", tmp_path / "run"
    batch.make_run(clips / "0.mp4", made, run, 1200)
    records = [json.loads(line) for line in (run / "results.jsonl").open()]
    assert len({record["clip_id"] for record in records}) == 1200
    for record in records[::400]:
        content = content_of(Path(record["path"]))
        assert content is not None and record["provenance"]["content"] == content.to_dict()
    assert not (run / "results.parquet").exists()


@pytest.mark.slow
def test_a_folder_is_measured(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(clips), "--jobs", "2", "--records", "30", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [line["workers"] for line in told["throughput"]] == [1, 2]
    for line in told["throughput"]:
        assert line["clips"] == 3
        assert line["video_seconds"] == pytest.approx(3 * 1.1, abs=0.5)
        assert line["seconds"] > line["start_seconds"] > 0
    parent, worker, *stages = told["shares"]
    assert (parent["part"], worker["part"]) == ("parent", "worker")
    assert parent["share"] + worker["share"] == pytest.approx(1.0)
    assert "track" in [stage["part"] for stage in stages]
    files = {line["what"]: line["files_a_clip"] for line in told["room"]}
    assert files["trajectories"] == files["profiles"] == 1.0
    assert [line["what"] for line in told["bookkeeping"]][1] == "nothing"
    assert all(line["clips"] == 30 for line in told["bookkeeping"])
