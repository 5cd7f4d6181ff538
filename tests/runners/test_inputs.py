"""What inputs mean: files, folders, patterns and lists, however large or hostile; and shards."""

import csv
import io
import math
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dollygrip.classifiers.reliability import Reason
from dollygrip.runners.inputs import Found, InputError, Shard, find_inputs, pose_finder
from dollygrip.runners.lists import MAX_LINE, read_list, read_standard_input
from dollygrip.runners.video import VideoError, in_natural_order, probe

# Of any bytes, as the file system has them, and with the signs that CSV and text give a meaning.
bytes_names = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)
words = st.text(st.sampled_from('a1 #,;"\n\r\t=é/'), min_size=1, max_size=8)
names = words | bytes_names.map(os.fsdecode)
many = st.lists(names, min_size=1, max_size=8)


def fill(folder: Path, *places: str) -> None:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch()


def found(*inputs: str | Path, **options: object) -> list[Path]:
    return [each.path for each in find_inputs(inputs, **options)]


def refusal(act: Callable[[], Iterable[object]]) -> str:
    """What is said, in one line that can be printed."""
    with pytest.raises(InputError) as caught:
        list(act())
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    return message


# Lists: what is written comes back


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(entries=many)
@example(entries=['a"b,c.mp4', "#1", " b ", "=cmd()", "-x"])
def test_tables_come_back_as_they_were_written(tmp_path: Path, entries: list[str]) -> None:
    for suffix, delimiter, header in (
        (".csv", ",", ["path"]),
        (".CSV", ",", ["note", "File Name"]),
        (".csv", ";", ["note", "video"]),
        (".tsv", "\t", ["clip"]),
        (".tsv", "\t", ["a,b,c", "clip"]),
    ):
        file = tmp_path / f"list{suffix}"
        with file.open("w", newline="", errors="surrogateescape") as out:
            writer = csv.writer(out, delimiter=delimiter)
            writer.writerow(header)
            writer.writerows([*["n"] * (len(header) - 1), entry] for entry in entries)
        assert list(read_list(file)) == entries
        if len(header) > 1 and delimiter != "\t":
            assert list(read_standard_input(io.BytesIO(file.read_bytes()))) == entries
    table = tmp_path / "list.parquet"
    cells = pa.array([os.fsencode(entry) for entry in entries])
    for column in (cells, cells.dictionary_encode()):
        parquet.write_table(pa.table({"id": range(len(entries)), "clip": column}), table)
        assert list(read_list(table)) == entries


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(entries=many)
def test_texts_come_back_as_they_were_written(tmp_path: Path, entries: list[str]) -> None:
    file = tmp_path / "list.txt"
    # The first is a common one: that which looks like no list at all is refused.
    entries = ["a.mp4", *entries]
    file.write_bytes(b"".join(os.fsencode(entry) + b"\0" for entry in entries))
    assert list(read_list(file)) == entries
    assert list(read_standard_input(io.BytesIO(file.read_bytes()))) == entries
    lines = [e.replace("\n", "").rstrip("\r") for e in entries]
    for end in (b"\n", b"\r\n"):
        data = b"\xef\xbb\xbf" + end.join(map(os.fsencode, lines))
        file.write_bytes(data)
        assert list(read_list(file)) == [line for line in lines if line]
        assert list(read_standard_input(io.BytesIO(data))) == [line for line in lines if line]


def test_strings_of_parquet_and_gaps(tmp_path: Path) -> None:
    table = tmp_path / "list.parquet"
    for kind in (pa.string(), pa.large_string()):
        cells = pa.array(["a.mp4", None, "", "é.mp4"], kind)
        parquet.write_table(pa.table({"x": cells, "path": cells}), table, row_group_size=1)
        assert list(read_list(table)) == ["a.mp4", "é.mp4"]
        assert list(read_list(table, "x")) == ["a.mp4", "é.mp4"]


def test_the_column_of_a_table(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    for text, column, expected in (
        ("clip,path\na,b\n", None, "b"),
        ("clip,path\na,b\n", "clip", "a"),
        ("Video Path;take\nb;1\n", None, "b"),
        ("anything\nb\n", None, "b"),
        ("\nanything\n\nb\n\n", None, "b"),
        ("b.mp4\n", None, "b.mp4"),  # no header: a clip must not be lost
        ("in/b\n", None, "in/b"),
    ):
        file.write_text(text)
        assert list(read_list(file, column)) == [expected]
    file.write_text("x,y\na,b\n")
    assert refusal(lambda: read_list(file)).endswith(
        "list.csv has no column path, but 'x', 'y'; name one with --column"
    )
    assert "no column 'z', but 'x', 'y'" in refusal(lambda: read_list(file, "z"))
    file.write_text("a.mp4,pan\nb.mp4,tilt\n")
    assert "no column path, but 'a.mp4', 'pan'" in refusal(lambda: read_list(file))
    file.write_text("path,path\na,b\n")
    assert "two columns 'path'" in refusal(lambda: read_list(file))
    file.write_text("path,note\na,1\nb,c.mp4,1\n")
    assert "list.csv:3: has 3 columns, its first line 2" in refusal(lambda: read_list(file))
    file.write_text('path\na\n"b\n')
    assert "list.csv:3: no CSV" in refusal(lambda: read_list(file))
    file.write_text("")
    assert "no column" in refusal(lambda: read_list(file, "z"))


def test_what_standard_input_is(tmp_path: Path) -> None:
    def read(data: bytes, column: str | None = None) -> list[str]:
        return list(read_standard_input(io.BytesIO(data), column))

    assert read(b"path,note\na.mp4,1\n") == ["a.mp4"]
    assert read(b"n,m\na.mp4,1\n", "n") == ["a.mp4"]
    assert read(b"clip\na, b.mp4\n") == ["clip", "a, b.mp4"]  # a folder may be called so
    assert read(b"clip, take 2.mp4\n") == ["clip, take 2.mp4"]
    assert read(b"") == []
    typed = iter([b"a.mp4\n"])
    keyboard = SimpleNamespace(read=lambda size: next(typed))  # fails when asked again
    assert list(read_standard_input(keyboard)) == ["a.mp4"]
    assert found("-", stdin=io.BytesIO(b"a.mp4\n"), find=pose_finder(None)) == [Path("a.mp4")]
    fill(tmp_path, "-")
    assert found(tmp_path / "-") == [tmp_path / "-"]
    assert found("./-", stdin=io.BytesIO(b"a.mp4\n")) == [Path("-")]


# Lists: hostile ones

RUBBISH = {
    "mp4": b"\0\0\0\x20ftypisom" + bytes(99),
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "gzip": b"\x1f\x8b\x08\x08\x01\x02\x03\x04list.txt\0" + bytes(range(256)),
    "UTF-16": "a.mp4\n".encode("utf-16"),
}


@pytest.mark.parametrize("kind", sorted(RUBBISH))
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".txt"])
def test_what_is_no_list(tmp_path: Path, kind: str, suffix: str) -> None:
    file = tmp_path / f"list{suffix}"
    file.write_bytes(RUBBISH[kind])
    assert str(file) in refusal(lambda: read_list(file))


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    assert "is not a regular file" in refusal(lambda: find_inputs([pipe]))
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    assert "is not a regular file" in refusal(lambda: find_inputs([tmp_path / "zero.csv"]))
    for name in ("none.txt", "none.csv", "a\0.txt", "none.parquet", "two\nlines.txt"):
        assert "does not exist" in refusal(lambda name=name: find_inputs([tmp_path / name]))
    assert "cannot be read" in refusal(lambda: find_inputs([tmp_path / f"{'x' * 300}.txt"]))
    fill(tmp_path, "folder.txt/a.mp4")
    assert found(tmp_path / "folder.txt") == [tmp_path / "folder.txt" / "a.mp4"]


def test_a_line_without_end_is_not_held(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    for suffix, start in ((".txt", b"a\n"), (".txt", b"a\0"), (".csv", b"path\n"), (".csv", b'"')):
        file = file.with_suffix(suffix)
        file.write_bytes(start)
        os.truncate(file, len(start))
        with file.open("ab") as out:
            for _ in range(40):
                out.write(b"x" * (MAX_LINE // 4) + (b"\n" if start == b'"' else b""))
        tracemalloc.start()
        message = refusal(lambda: read_list(file))  # noqa: B023
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert f"{file}:" in message
        assert peak < 8 * MAX_LINE


def test_a_row_without_end_is_not_held(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    entries = ["x" * 1000] * (2 * MAX_LINE // 1000)
    file.write_text("\n".join(["path", *entries]))
    assert list(read_list(file)) == entries
    file.write_text("path\n" + '"\n",' * MAX_LINE)
    assert "a row is over 1 MB" in refusal(lambda: read_list(file))


def test_damaged_and_foreign_parquet(tmp_path: Path) -> None:
    file = tmp_path / "list.parquet"
    parquet.write_table(pa.table({"path": [1, 2]}), file)
    assert "'path' holds int64" in refusal(lambda: read_list(file))
    parquet.write_table(pa.table({"path": [["a"]]}), file)
    assert "'path' holds list" in refusal(lambda: read_list(file))
    parquet.write_table(pa.table({"a": ["x"], "b": ["y"]}), file)
    assert "no column path, but 'a', 'b'" in refusal(lambda: read_list(file))
    parquet.write_table(pa.table({"path": [f"{i}.mp4" for i in range(999)]}), file)
    whole = file.read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], b"", b"PAR1", b"x" * 400 + whole[400:]):
        file.write_bytes(data)
        assert "no Parquet file, or damaged" in refusal(lambda: read_list(file))


def test_texts_that_change_their_mind(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(b"a.mp4\n" * 20000 + b"b\0\n")
    assert "list.txt:20001: holds a NUL" in refusal(lambda: read_list(file))


def test_names_that_no_system_call_takes_become_failed_records(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    long = "x" * 5000 + ".mp4"
    file.write_text(f"path\na\0b.mp4\n{long}\n{file}\n")
    *listed, _ = found(file)
    assert listed == [Path("a\0b.mp4"), Path(long)]
    given = [Path("c\0*.mp4"), Path("y" * 300 + "*.mp4")]
    assert found(*given) == given
    for path in (*listed, *given):
        with pytest.raises(VideoError) as caught:
            probe(path)
        assert caught.value.failure.reason in (Reason.MISSING, Reason.NOT_READABLE)
    shards = [Shard(k, 3) for k in (1, 2, 3)]
    for each in find_inputs([file, *given]):
        assert sum(shard.has(each) for shard in shards) == 1


def test_a_long_list_is_streamed(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    count = 50_000
    file.write_text("".join(f"/none/{number:09d}.mp4\n" for number in range(count)))
    tracemalloc.start()
    assert sum(1 for _ in read_list(file)) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_poses_that_cannot_be_looked_for(tmp_path: Path) -> None:
    long, zero = tmp_path / ("x" * 300), tmp_path / "a\0b"
    assert found(long, zero, find=pose_finder(None)) == [long, zero]
    fill(tmp_path, "in/a.txt")
    (tmp_path / "in" / "a.txt").write_text("0 0 0 0 0 0 0 1\n1 1 0 0 0 0 0 1\n")
    # Texts and tables may be poses.
    listed = found(tmp_path / "in" / "a.txt", tmp_path / "in", find=pose_finder(None))
    assert listed == [tmp_path / "in" / "a.txt"] * 2


# Where listed clips are


def test_places_of_listed_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "set/a/000.mp4", "set/b/000.mp4", "b/000.mp4", "set/c/1.mp4", "set/c/2.mp4")
    monkeypatch.chdir(tmp_path)
    entries = ["a/000.mp4", "b/000.mp4", f"{tmp_path}/set/a/000.mp4", "c", "none.mp4", "*.mp4"]
    Path("set/list.txt").write_text("\n".join(entries))
    assert list(find_inputs(["set/list.txt"])) == [
        Found(Path("set/a/000.mp4"), Path("set")),
        Found(Path("b/000.mp4"), Path()),
        Found(tmp_path / "set/a/000.mp4", Path("/")),
        Found(Path("set/c/1.mp4"), Path("set")),
        Found(Path("set/c/2.mp4"), Path("set")),
        Found(Path("none.mp4"), Path()),
        Found(Path("*.mp4"), Path()),
    ]


def test_nothing_is_not_the_working_folder() -> None:
    assert "is empty" in refusal(lambda: find_inputs([""]))


def test_a_text_among_the_clips_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, "in/1.mp4")
    Path("in/README.txt").write_text("Clips of mine\n\n- one.mp4 is not here\n")
    said = refusal(lambda: find_inputs(["in/1.mp4", "in/README.txt"]))
    assert said.startswith("in/README.txt: none of its 2 ")
    Path("in/README.txt").write_text("gone.mp4\n1.mp4\n")
    assert found("in/README.txt") == [Path("gone.mp4"), Path("in/1.mp4")]
    Path("in/README.txt").write_text("\n")
    assert found("in/README.txt") == []


# Patterns


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, "in/10.mp4", "in/9.mp4", "in/sub/deep/1.mp4", "in/sub/x.webm", "in/.h/2.mp4")
    fill(tmp_path, "in/.3.mp4", "[1]*.mp4", "1.mp4", "1x.mp4", "in/notes.txt")
    assert list(find_inputs(["in/**/*.mp4"])) == [
        Found(Path(path), Path("in")) for path in ("in/9.mp4", "in/10.mp4", "in/sub/deep/1.mp4")
    ]
    assert found("in/*.mp4") == [Path("in/9.mp4"), Path("in/10.mp4")]
    assert found("in/?.mp4") == [Path("in/9.mp4")]
    assert found("in/[!9]*.mp4") == [Path("in/10.mp4")]
    assert found("in/.*/*.mp4") == [Path("in/.h/2.mp4")]
    assert found("*/sub/**/1.*") == [Path("in/sub/deep/1.mp4")]
    assert found(f"{tmp_path}/in/*/*.webm") == [tmp_path / "in/sub/x.webm"]
    # A folder that matches is searched; a list that matches is only a file.
    assert found("in/s*") == [Path("in/sub/x.webm"), Path("in/sub/deep/1.mp4")]
    assert found("in/**") == found("in")
    assert found("in/n*") == [Path("in/notes.txt")]
    # A name is taken literally where there is such a file.
    assert found("[1]*.mp4") == [Path("[1]*.mp4")]
    Path("[1]*.mp4").unlink()
    assert found("[1]*.mp4") == [Path("1.mp4"), Path("1x.mp4")]
    for nothing in ("in/*.avi", "none/*.mp4", "**/*.avi"):
        assert list(find_inputs([nothing])) == [
            Found(Path(nothing), Path(nothing).parent, alone=True)
        ]
        with pytest.raises(VideoError, match="matches nothing") as caught:
            probe(Path(nothing))
        assert caught.value.failure.reason == Reason.MISSING


def test_patterns_in_circles_and_depths(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.mp4")
    for name in ("one", "two", "three"):
        (tmp_path / "a" / name).symlink_to(tmp_path)
    assert found(tmp_path / "**" / "**" / "*.mp4") == [tmp_path / "a" / "1.mp4"]
    assert found(tmp_path / "*" / "one" / "*" / "*.mp4") == [tmp_path / "a/one/a/1.mp4"]


def test_patterns_deeper_than_pythons_stack(tmp_path: Path) -> None:
    depth = 1020
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("1.mp4").touch()
        assert found(tmp_path / "**" / "*.mp4") == [tmp_path.joinpath(*["d"] * depth, "1.mp4")]
    finally:
        os.fchdir(here)
        os.close(here)
        # As pytest would, but that recurses.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


@given(st.lists(words, max_size=6, unique=True))
def test_natural_order_is_that_of_the_numbers(some: list[str]) -> None:
    assert in_natural_order(reversed(some)) == in_natural_order(some)
    numbers = [f"a{len(name) * 37 % 101}b{index}" for index, name in enumerate(some)]
    as_numbers = sorted(numbers, key=lambda n: [int(k) for k in n[1:].split("b")])
    assert in_natural_order(numbers) == as_numbers


def test_a_large_folder_is_searched_in_little_memory(tmp_path: Path) -> None:
    count = 1500
    for number in range(count):
        (tmp_path / f"clip_{number}.mp4").touch()
    tracemalloc.start()
    assert sum(1 for _ in find_inputs([tmp_path])) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 350 * count  # a DirEntry alone takes as much


# Shards


@given(st.lists(names, min_size=1, max_size=20, unique=True), st.integers(1, 9), st.randoms())
def test_shards_part_the_clips_whatever_their_order(
    some: list[str], count: int, random: object
) -> None:
    clips = [Found(Path("in", name), Path("in")) for name in some]
    shards = [Shard(index, count) for index in range(1, count + 1)]
    parts = {each: [shard.index for shard in shards if shard.has(each)] for each in clips}
    assert all(len(part) == 1 for part in parts.values())
    moved = [Found(Path("/else/where", name), Path("/else/where")) for name in some]
    assert [parts[each] for each in clips] == [
        [shard.index for shard in shards if shard.has(each)] for each in moved
    ]


def test_shards_are_the_same_on_every_machine() -> None:
    def index(found: Found) -> int:
        (only,) = (k for k in range(1, 8) if Shard(k, 7).has(found))
        return only

    clips = [Found(Path(f"in/{k}.mp4"), Path("in")) for k in range(6)]
    assert [index(each) for each in clips] == [7, 1, 6, 2, 4, 6]
    # Files given one by one are told apart by more than their name.
    alone = [Found(Path(f"{k}/000.mp4"), Path(str(k)), alone=True) for k in range(40)]
    assert len({index(each) for each in alone}) == 7


@pytest.mark.parametrize("count", [2, 8, 997])
def test_shards_are_even(count: int) -> None:
    clips = [Found(Path(f"in/{k // 100}/clip_{k:05d}.mp4"), Path("in")) for k in range(10_000)]
    expected = len(clips) / count
    spread = math.sqrt(expected * (1 - 1 / count))
    for index in {1, count // 2 + 1, count}:
        size = sum(map(Shard(index, count).has, clips))
        assert abs(size - expected) <= 4 * spread


@pytest.mark.parametrize(
    "text", ["", "2", "/", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "1/8\n", "²/8", "9" * 5000]
)
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Shard.parse(text)
    assert str(caught.value).isprintable()


def test_a_shard_as_text() -> None:
    assert Shard.parse("2/8") == Shard(2, 8)


def test_clips_are_found_without_what_takes_long_to_load():
    # Workers are started when it is known that there is work for them, and then load all of it.
    code = (
        "import sys\n"
        "from dollygrip.runners.launch import start_engine\n"
        "from dollygrip.runners.inputs import find_inputs\n"
        "list(find_inputs(['none.mp4', 'none/*.mp4']))\n"
        "heavy = {'numpy', 'cv2', 'av', 'pandas', 'pyarrow', 'ray', 'sqlite3', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
