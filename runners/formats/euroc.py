"""EuRoC MAV trajectories: CSV with ``#timestamp [ns], p_RS_R_x [m], ..., q_RS_w [], ...``.

Whose poses these are differs from file to file, and a wrong guess turns a pan into a roll:

- The data set's own (``state_groundtruth_estimate0/data.csv``, 17 columns) are those of the body,
  the IMU, which is mounted sideways. The camera's place on it is ``T_BS`` in the camera's
  ``sensor.yaml``. That is looked for where the data set has it (``../cam0/sensor.yaml``), beside
  the file and in ``cam0`` beside the file. A file without one is refused, unless it is said whose
  axes it has: ``opencv`` for poses that are the camera's already, as ORB-SLAM3 writes them when it
  runs without an IMU. The published ``T_BS`` is no default, since other data sets in this format
  (TUM-VI) mount the IMU otherwise.
- The ground truth of the left camera that comes with DROID-SLAM has the data set's
  header, but camera centres beside camera_from_world rotations: ``opencv rotations_inverted``.
- What is written here is the camera's, with ``RC`` (camera in reference) for ``RS`` (sensor in
  reference) in the header, by which it is known when it is read again.

The header gives the order of the quaternion (w first in the data set, x first from ORB-SLAM3,
which writes no header); without one it has to be said. Times are nanoseconds, counted from the
first, as floats cannot hold them since 1970.
https://projects.asl.ethz.ch/datasets/doku.php?id=kmavvisualinertialdatasets
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, Quaternion, inverse
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import BadPose, CameraPath, naming
from dollygrip.runners.formats.quaternions import from_rows, to_rows
from dollygrip.runners.formats.text import (
    looks_like_table,
    read_lines,
    read_rows,
    read_text,
    write_text,
)

_HEADER = re.compile(r"#\s*timestamp\s*\[ns\].*\bp_R[A-Z]_R_x\b")
_ORDER = re.compile(r"\bq_R[A-Z]_([wxyz])\b")
_CAMERAS_OWN = "p_RC_R_x"
_COLUMNS = (8, 17)
# Seconds since 1970 are far below it, nanoseconds far above.
_NANOSECONDS = 1e17
_MOST_NANOSECONDS = Decimal(10) ** 20
_IS_CAMERA = re.compile(r"^sensor_type:\s*camera\b", re.M)


def _matches(path: Path, head: bytes) -> bool:
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    if _header(lines):
        return True
    if not any(looks_like_table(head, columns) for columns in _COLUMNS):
        return False
    first = next(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return float(first.replace(",", " ").split()[0]) > _NANOSECONDS


def _header(lines: Iterable[str]) -> str:
    """The comment that names the columns; empty when there is none."""
    return next(filter(_HEADER.match, lines), "")


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, _COLUMNS))
    numbers = [line for line, _ in rows]
    lines = dict(read_lines(path))
    header = _header(lines.values())
    with naming(path, numbers):
        used = replace(convention, quaternion=convention.quaternion or _order(header, rows))
        if used.axes == "body" and _CAMERAS_OWN in header:
            used = replace(used, axes="opencv")
        table = np.array([values[1:8] for _, values in rows]).reshape(-1, 7)
        times = _seconds([lines[number] for number in numbers])
        if used.axes != "body":
            return CameraPath(from_rows(table, used), times=times, metric=True)
        bodies = from_rows(table, replace(used, axes="opencv"))
        with np.errstate(over="ignore", invalid="ignore"):
            return CameraPath(bodies @ _body_from_camera(path), times=times, metric=True)


def _order(header: str, rows: list[tuple[int, list[float]]]) -> Quaternion:
    named = "".join(_ORDER.findall(header))
    if named == "xyzw":
        return "xyzw"
    if named == "wxyz":
        return "wxyz"
    if rows and len(rows[0][1]) == 17:
        return "wxyz"
    raise ValueError(
        "no header tells the order of the quaternion; say wxyz (EuRoC) or xyzw (ORB-SLAM3)"
    )


def _seconds(lines: list[str]) -> FloatArray:
    """(N,) seconds from the first line's time."""
    stamps = []
    for k, line in enumerate(lines):
        try:
            stamp = Decimal(line.replace(",", " ").split()[0])
        except InvalidOperation:
            stamp = Decimal("nan")
        if not (stamp.is_finite() and -_MOST_NANOSECONDS < stamp < _MOST_NANOSECONDS):
            raise BadPose(k, "has a time that is no number of nanoseconds")
        stamps.append(stamp)
    return np.array([float(stamp - stamps[0]) / 1e9 for stamp in stamps])


def _body_from_camera(path: Path) -> FloatArray:
    """(4, 4): where the camera is on the body whose poses a file holds."""
    folder = path.absolute().parent
    beside = folder / "sensor.yaml"
    places = (folder.parent / "cam0" / "sensor.yaml", beside, folder / "cam0" / "sensor.yaml")
    for place in places:
        if place.is_file() and _IS_CAMERA.search(read_text(place)):
            mounted = _mounting(place)
            # What was tracked need not be the body itself, but a marker on it.
            tracked = np.eye(4)
            if beside.is_file() and beside != place:
                tracked = _mounting(beside)
            return inverse(tracked) @ mounted
    raise ValueError(
        "holds the poses of the body, and no camera's sensor.yaml (../cam0/sensor.yaml, or beside "
        "the file) tells where the camera is on it; say opencv if they are the camera's own"
    )


def _mounting(sensor: Path) -> FloatArray:
    """(4, 4) body_from_sensor as a ``sensor.yaml`` has it (``T_BS``)."""
    with naming(sensor):
        data = f"\n{read_text(sensor)}".partition("\nT_BS:")[2].partition("data:")[2]
        words = data.partition("[")[2].partition("]")[0].replace(",", " ").split()
        if len(words) != 16:
            raise ValueError("holds no T_BS of 4 x 4 numbers")
        matrix = np.array([float(word) for word in words]).reshape(1, 4, 4)
        # As strict with it as with any pose.
        mounting: FloatArray = CameraPath(matrix).world_from_camera[0]
        return mounting


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    order = convention.quaternion or "wxyz"
    axes = "opencv" if convention.axes == "body" else convention.axes
    with naming(path):
        rows = to_rows(cameras.world_from_camera, replace(convention, axes=axes, quaternion=order))
        names = [f"p_RC_R_{axis} [m]" for axis in "xyz"] + [f"q_RC_{part} []" for part in order]
        # Times of today in seconds have digits to spare only in decimal.
        stamps = [round(Decimal(time) * 10**9) for time in cameras.clock().tolist()]
        lines = [
            f"{stamps[k]},{','.join(map(repr, rows[k].tolist()))}"
            for k in np.flatnonzero(cameras.there)
        ]
        write_text(path, "\n".join([f"#timestamp [ns], {', '.join(names)}", *lines]) + "\n")


FORMAT = PoseFormat(
    name="euroc",
    title="EuRoC MAV trajectory",
    convention=Convention("world_from_camera", "body"),
    unit="metres",
    kept=frozenset({"times", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
