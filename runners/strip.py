"""The seven rates of a clip over time, as a picture with a moving playhead."""

from collections.abc import Sequence

import cv2
import numpy as np

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.visibility import visible_units
from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.profile import AXES, MotionProfile, motion_profile
from dollygrip.runners.drawing import (
    BLUE,
    DARK,
    DIM,
    GREY,
    LINE,
    ORANGE,
    WHITE,
    Color,
    Image,
    text_width,
    write,
)
from dollygrip.runners.formats.trajectories import ShotMotion

# What each axis is called when it goes one way or the other, its unit, and what to multiply with.
_WORDS: dict[str, tuple[str, str, str, float]] = {
    "pan": ("right", "left", "{:.1f} deg/s", 1.0),
    "tilt": ("up", "down", "{:.1f} deg/s", 1.0),
    "roll": ("cw", "ccw", "{:.1f} deg/s", 1.0),
    "truck": ("right", "left", "{:.2f} depths/s", 1.0),
    "pedestal": ("up", "down", "{:.2f} depths/s", 1.0),
    "dolly": ("in", "out", "{:.2f} depths/s", 1.0),
    "zoom": ("in", "out", "{:.0f} %/s", 100.0),
}
ROW = 26
"""Pixels that a rate takes."""
GUTTER = 206
_RIGHT = 8
# A row is at least this high, in picture sizes a second, so that noise looks like noise.
_LEAST_FULL_SCALE = 0.02
_BAND: Color = (52, 84, 108)
_ROW: Color = (30, 30, 30)
_NAMED: Color = (54, 54, 54)
_FAILED: Color = (70, 36, 16)


class Strip:
    """Draws the rates once, and then the playhead at any time."""

    def __init__(
        self, width: int, motions: Sequence[ShotMotion], labels: Sequence[ShotLabels], end: float
    ) -> None:
        """Draw everything but the playhead.

        Args:
            width: Of the picture, pixels.
            motions: The motion of each shot.
            labels: The labels of each shot.
            end: Seconds at which the clip ends.
        """
        self.height = len(AXES) * ROW + LINE
        self._width, self._end = width, max(end, 1e-6)
        self._profiles = [
            None if said.failure is not None else _profile(motion)
            for motion, said in zip(motions, labels, strict=True)
        ]
        self._labels = labels
        scale = _full_scale(self._profiles)
        self._base = np.full((self.height, width, 3), DARK, np.uint8)
        for row in range(len(AXES)):
            self._fill_row(row, 0.0, end, _ROW)
        for said in labels:
            self._draw_segments(said)
        for row in range(len(AXES)):
            y = self._zero(row)
            cv2.line(self._base, (GUTTER, y), (width - _RIGHT, y), DIM)
        for motion, profile in zip(motions, self._profiles, strict=True):
            if profile is None:
                self._draw_gap(motion)
            else:
                self._draw_rates(profile, scale)
        for motion in motions[1:]:
            x = self._x(motion.start)
            cv2.line(self._base, (x, 0), (x, len(AXES) * ROW), WHITE, 1)
        self._draw_clock()

    def at(self, time: float, shot: int) -> Image:
        """The strip at a time of the clip, which is in this shot."""
        image = self._base.copy()
        profile, said = self._profiles[shot], self._labels[shot]
        named = {BY_NAME[s.motion].axis for s in said.segments if s.start <= time <= s.end}
        for row, axis in enumerate(AXES):
            y = row * ROW + ROW // 2 + 5
            color = WHITE if axis in named else GREY
            write(image, axis, 8, y, color)
            if profile is not None:
                value = float(np.interp(time, profile.times, profile.rates[:, row]))
                write(image, spoken(axis, value), 76, y, color)
        x = self._x(time)
        cv2.line(image, (x, 0), (x, len(AXES) * ROW), ORANGE, 1)
        return image

    def _x(self, time: float) -> int:
        share = min(max(time / self._end, 0.0), 1.0)
        return GUTTER + round(share * (self._width - _RIGHT - 1 - GUTTER))

    @staticmethod
    def _zero(row: int) -> int:
        return row * ROW + ROW // 2

    def _draw_gap(self, motion: ShotMotion) -> None:
        left, right = self._x(motion.start), self._x(motion.end)
        cv2.rectangle(self._base, (left, 1), (right, len(AXES) * ROW - 2), _FAILED, -1)
        if text_width("no answer") < right - left - 8:
            write(self._base, "no answer", left + 6, self._zero(3) + 5, ORANGE)

    def _draw_segments(self, said: ShotLabels) -> None:
        """Where a move is named, its row is lighter."""
        for segment in said.segments:
            axis = BY_NAME[segment.motion].axis
            if axis:
                self._fill_row(AXES.index(axis), segment.start, segment.end, _NAMED)

    def _fill_row(self, row: int, start: float, end: float, color: Color) -> None:
        corners = (self._x(start), row * ROW + 1), (self._x(end), row * ROW + ROW - 2)
        cv2.rectangle(self._base, *corners, color, -1)

    def _places(self, profile: MotionProfile, row: int, values: FloatArray) -> IntArray:
        """(N, 2) pixels of a row's values, which are shares of the full scale."""
        x = [self._x(time) for time in profile.times.tolist()]
        y = self._zero(row) - np.clip(np.nan_to_num(values), -1.0, 1.0) * (ROW / 2 - 2)
        return np.column_stack([x, np.round(y)]).astype(np.int32)

    def _draw_rates(self, profile: MotionProfile, scale: FloatArray) -> None:
        """Curves in bands of one standard deviation of the shot's mean rate."""
        spread = profile.sigmas / max(profile.duration, 1e-6)
        for row in range(len(AXES)):
            rates = profile.rates[:, row]
            upper, curve, lower = (
                self._places(profile, row, (rates + way * spread[row]) / scale[row])
                for way in (1, 0, -1)
            )
            cv2.fillPoly(self._base, [np.concatenate([upper, lower[::-1]])], _BAND)
            cv2.polylines(self._base, [curve], False, BLUE, 1, cv2.LINE_AA)

    def _draw_clock(self) -> None:
        y = self.height - 5
        write(self._base, "0 s", GUTTER, y, GREY)
        last = f"{self._end:.1f} s"
        write(self._base, last, self._width - _RIGHT - text_width(last), y, GREY)


def _profile(motion: ShotMotion) -> MotionProfile | None:
    """The rates under the likeliest explanation, if there are any."""
    if not motion.hypotheses or motion.hypotheses[0].trajectory.valid.sum() < 2:
        return None
    return motion_profile(motion.hypotheses[0].trajectory)


def _full_scale(profiles: Sequence[MotionProfile | None]) -> FloatArray:
    """(7,) the rate at which a row is full."""
    known = [profile for profile in profiles if profile is not None]
    highest = np.zeros(len(AXES))
    for profile in known:
        least = _LEAST_FULL_SCALE / visible_units(profile.field_of_view_deg)
        highest = np.maximum(highest, np.maximum(np.abs(profile.rates).max(axis=0), least))
    return highest


def spoken(axis: str, rate: float) -> str:
    """A rate in words."""
    forth, back, form, factor = _WORDS[axis]
    text = form.format(abs(rate) * factor)
    if not any(digit in text for digit in "123456789"):
        return "0"
    return f"{text} {forth if rate > 0 else back}"
