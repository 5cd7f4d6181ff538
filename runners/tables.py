"""The records of a run as tables: Parquet, CSV, a data frame."""

import csv
import json
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.sheets import defused
from dollygrip.runners.ledger import read_records
from dollygrip.runners.store import CSV, PARQUET, RESULTS, StoreError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write_tables(folder: Path) -> tuple[Path, Path]:
    """Write ``results.parquet`` and ``results.csv``, one row a clip; returns their paths."""
    from pyarrow.parquet import write_table

    rows = to_table(read_records(folder))
    parquet, table = folder / PARQUET, folder / CSV
    scratch = folder / f".{PARQUET}.tmp"
    scratch.unlink(missing_ok=True)  # not through a link that lies in wait
    write_table(rows, scratch)
    scratch.replace(parquet)
    scratch = folder / f".{CSV}.tmp"
    scratch.unlink(missing_ok=True)
    with scratch.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.column_names)
        for part in rows.to_batches(_ROWS_AT_ONCE):
            columns = (column.to_pylist() for column in part.columns)
            writer.writerows(map(defused, row) for row in zip(*columns, strict=True))
    scratch.replace(table)
    return parquet, table


def update_tables(folder: Path) -> None:
    """Write the tables unless they are newer than the last record."""
    tables = [folder / name for name in (PARQUET, CSV)]
    last = (folder / RESULTS).stat().st_mtime_ns
    if not all(path.exists() and path.stat().st_mtime_ns > last for path in tables):
        write_tables(folder)


def to_frame(records: Iterator[ClipLabels]) -> "pd.DataFrame":
    """Records as a data frame; the columns are those of :func:`to_table`."""
    import pandas as pd
    import pyarrow as pa

    kinds: dict[Any, Any] = {pa.bool_(): pd.BooleanDtype()}
    return to_table(records).to_pandas(types_mapper=kinds.get)


def to_table(records: Iterator[ClipLabels]) -> "pa.Table":
    """Records as a table: one row a clip.

    Columns: ``path``, ``clip_id``, ``failure``, ``failure_message``, ``trust``, ``caption``,
    ``duration`` in seconds, then for every label of the vocabulary ``LABEL`` (is it present;
    missing where the clip failed) and ``score_LABEL`` (0 to 1), then the attributes.

    Raises:
        StoreError: Attributes are of different kinds in different records, or far too many.
    """
    import pyarrow as pa

    kinds = {
        **_HEAD,
        **dict.fromkeys(BY_NAME, "bool"),
        **{f"score_{name}": "float64" for name in BY_NAME},
    }
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds.items()])
    parts = [pa.Table.from_batches([], schema)]
    lines = _lines(records)
    try:
        # In parts, since rows as dicts take ten times the room of a table.
        while rows := list(islice(lines, _ROWS_AT_ONCE)):
            parts.append(_read_json("\n".join(rows).encode(), schema))
        return pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        said = str(error).partition("\n")[0]
        raise StoreError(f"the attributes of the records make no table: {said}") from error


def _lines(records: Iterator[ClipLabels]) -> Iterator[str]:
    """A line of JSON for each row."""
    columns: set[str] = set()
    for record in records:
        row = _row(record)
        columns.update(row)
        if len(columns) > _MOST_COLUMNS:
            raise StoreError(f"records have more than {_MOST_COLUMNS} attributes; no classifier's")
        yield dumps(row)


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


_ROWS_AT_ONCE = 5000
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


def _row(record: ClipLabels) -> dict[str, Any]:
    whole = record.whole
    failed = whole.failure is not None
    video = record.provenance.get("video") or {}
    head = (
        _encodable(record.path),
        record.clip_id,
        whole.failure.reason.value if whole.failure else None,
        _encodable(whole.failure.message) if whole.failure else None,
        whole.trust,
        whole.caption,
        video.get("duration"),
    )
    present = {name: None if failed else name in whole.labels for name in BY_NAME}
    scores = {f"score_{name}": whole.scores.get(name) for name in BY_NAME}
    return {
        **dict(zip(_HEAD, head, strict=True)),
        **present,
        **scores,
        **_flat(whole.attributes),
    }


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, keys joined by underscores; lists as JSON."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}_"))
        else:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list | tuple) else value
    return flat


def _encodable(text: str) -> str:
    """A file name that is not UTF-8 has bytes that no table can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
