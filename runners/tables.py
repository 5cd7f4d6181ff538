"""The records of a run as tables: Parquet, CSV, a data frame."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Literal

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.runners.formats.files import new_file
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.sheets import defused
from dollygrip.runners.ledger import is_plain, last_lines, record_of
from dollygrip.runners.store import CSV, NO_RUN, PARQUET, RESULTS, StoreError, writing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write_tables(folder: Path) -> tuple[Path, Path]:
    """Write ``results.parquet`` and ``results.csv``, one row a clip; returns their paths.

    Columns: ``path``, ``clip_id``, ``failure``, ``failure_message``, ``trust``, ``caption``,
    ``duration`` in seconds, then for every label of the vocabulary ``LABEL`` (is it present;
    missing where the clip failed) and ``score_LABEL`` (0 to 1), then the attributes.

    Raises:
        StoreError: The folder holds no run or cannot be written, a record is spoiled, or
            attributes are of different kinds in different records, or far too many.
    """
    from pyarrow.parquet import ParquetWriter

    parquet, table = folder / PARQUET, folder / CSV
    # Before they are read: records may be added meanwhile.
    stamp = _stamp(folder / RESULTS)
    if stamp is None:
        raise StoreError(f"{folder} {NO_RUN}")
    with writing(folder), _making_a_table(), _beside(parquet) as spilled:
        # Which columns there are is known at the end; until then the rows lie beside the tables.
        schema = _spill(_parts(folder), spilled)
        with (
            new_file(parquet) as packed,
            new_file(table) as plain,
            ParquetWriter(packed, schema) as writer,
        ):
            text = TextIOWrapper(plain, encoding="utf-8", newline="")
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(schema.names)
            for group in _spilled(spilled, schema):
                writer.write_table(group)
                for part in group.to_batches():
                    rows.writerows(zip(*map(_cells, part.columns), strict=True))
            text.detach()
        for path in (parquet, table):
            with suppress(OSError):  # where that cannot be said, they are written again
                os.utime(path, ns=(stamp, stamp))
    return parquet, table


def update_tables(folder: Path) -> None:
    """Write the tables unless they are of the records as they are."""
    last = _stamp(folder / RESULTS)
    if any(_stamp(folder / name) != last for name in (PARQUET, CSV)):
        write_tables(folder)


def _stamp(path: Path) -> int | None:
    """When a file was changed; None where there is none.

    Tables have that of the records they are of: newer ones need not be, where clocks are set back.
    """
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def to_frame(folder: Path) -> "pd.DataFrame":
    """The records of a run as a data frame; the columns are those of :func:`write_tables`.

    Raises:
        StoreError: The folder holds no run, a record is spoiled, or the attributes make no table.
    """
    import pandas as pd
    import pyarrow as pa

    kinds: dict[Any, Any] = {pa.bool_(): pd.BooleanDtype()}
    with _making_a_table():
        rows = pa.concat_tables(_parts(folder), promote_options="permissive")
    return rows.to_pandas(types_mapper=kinds.get)


@contextmanager
def _making_a_table() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        said = str(error).partition("\n")[0]
        raise StoreError(f"the attributes of the records make no table: {said}") from error


def _parts(folder: Path) -> "Iterator[pa.Table]":
    """The rows, some thousand at once; later ones may have more columns. The first has no row."""
    import pyarrow as pa

    kinds = {
        **_HEAD,
        **dict.fromkeys(BY_NAME, "bool"),
        **{f"score_{name}": "float64" for name in BY_NAME},
    }
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds.items()])
    yield _no_rows(schema)
    rows, columns = map(_reader(folder), last_lines(folder)), set[str]()
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        columns.update(*part)
        if len(columns) > _MOST_COLUMNS:
            raise StoreError(f"records have more than {_MOST_COLUMNS} attributes; no classifier's")
        yield _read_json(b"\n".join(map(_encoded, part)), schema)


def _spill(parts: "Iterator[pa.Table]", file: IO[bytes]) -> "pa.Schema":
    """Put parts into a file; the columns that hold all of them."""
    import pyarrow as pa

    schemas: dict[pa.Schema, None] = {}
    for part in parts:
        schemas[part.schema] = None
        with pa.ipc.new_stream(file, part.schema) as stream:
            stream.write_table(part)
    return pa.unify_schemas(list(schemas), promote_options="permissive")


def _spilled(file: IO[bytes], schema: "pa.Schema") -> "Iterator[pa.Table]":
    """What was put into a file, several parts at once and all with the same columns."""
    import pyarrow as pa

    end = file.tell()
    file.seek(0)
    group = [_no_rows(schema)]
    while file.tell() < end:
        with pa.ipc.open_stream(file) as stream:
            group.append(stream.read_all())
        if len(group) > _PARTS_AT_ONCE or file.tell() >= end:
            yield pa.concat_tables(group, promote_options="permissive")
            group = [_no_rows(schema)]


def _beside(path: Path) -> IO[bytes]:
    """A file without a name; where it must have one, it is a name that the next run removes."""
    return TemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=f".{os.getpid()}.tmp")


def _cells(column: "pa.Array") -> list[Any]:
    import pyarrow as pa

    cells: list[Any] = column.to_pylist()
    return list(map(defused, cells)) if pa.types.is_string(column.type) else cells


def _no_rows(schema: "pa.Schema") -> "pa.Table":
    """A table with columns only. Schema.empty_table() would load pandas, as in _read_json."""
    import pyarrow as pa

    return pa.Table.from_batches([], schema)


def _read_json(lines: bytes, schema: "pa.Schema") -> "pa.Table":
    """JSON lines as a table.

    To make an array of a list, pyarrow would load pandas, which takes longer than many a clip.
    """
    from pyarrow.json import ParseOptions, ReadOptions, read_json

    return read_json(
        BytesIO(lines),
        ReadOptions(use_threads=False, block_size=len(lines) + 1),
        ParseOptions(explicit_schema=schema),
    )


_ROWS_AT_ONCE = 2000
_PARTS_AT_ONCE = 5
_MOST_COLUMNS = 5000
_HEAD = {
    "path": "string",
    "clip_id": "string",
    "failure": "string",
    "failure_message": "string",
    "trust": "float64",
    "caption": "string",
    "duration": "float64",
}


def _reader(folder: Path) -> Callable[[bytes], dict[str, Any]]:
    """What makes a row of a line; reads no more of the line than it needs."""
    from msgspec import DecodeError, Struct, ValidationError, convert
    from msgspec.json import Decoder

    class Failed(Struct):
        reason: str
        message: str

    class Video(Struct):
        duration: float | None = None

    class Provenance(Struct):
        video: Video | None = None

    class Line(Struct):
        schema_version: Literal[1]
        path: str
        clip_id: str
        failure: Failed | None
        trust: float
        caption: str
        labels: list[str]
        scores: dict[str, float]
        attributes: dict[str, Any]
        provenance: Provenance

    def row(line: Line) -> dict[str, Any]:
        failure, video, scores = line.failure, line.provenance.video, line.scores
        head = (
            _encodable(line.path),
            line.clip_id,
            None if failure is None else failure.reason,
            None if failure is None else _encodable(failure.message),
            line.trust,
            line.caption,
            None if video is None else video.duration,
        )
        cells: dict[str, Any] = dict(zip(_HEAD, head, strict=True))
        for name in BY_NAME:
            cells[name] = None if failure else name in line.labels
        for name, column in _SCORES.items():
            cells[column] = scores.get(name)
        _flatten(line.attributes, cells)
        return cells

    decoder = Decoder(Line)

    def read(line: bytes) -> dict[str, Any]:
        if is_plain(line):
            with suppress(DecodeError, RecursionError):
                return row(decoder.decode(line))
        # Says what is wrong, where something is.
        record = record_of(folder, line)
        try:
            return row(convert(record.to_dict(), Line))
        except ValidationError as error:
            raise StoreError(f"{folder / RESULTS}: {error}") from error

    return read


_SCORES = {name: f"score_{name}" for name in BY_NAME}


def _encoded(row: dict[str, Any]) -> bytes:
    """A row as a line of JSON."""
    from msgspec.json import encode

    try:
        return encode(row)
    except (ValueError, OverflowError):
        return dumps(row).encode()


def _flatten(data: dict[str, Any], into: dict[str, Any], prefix: str = "") -> None:
    """Add nested dicts to one, keys joined by underscores; lists as JSON."""
    for key, value in data.items():
        kind = type(value)  # JSON has no subclasses, and there are a hundred in a record
        if kind is dict:
            _flatten(value, into, f"{prefix}{key}_")
        else:
            into[prefix + key] = json.dumps(value) if kind is list else value


def _encodable(text: str) -> str:
    """A file name that is not UTF-8 has bytes that no table can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
