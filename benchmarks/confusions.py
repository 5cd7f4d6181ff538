"""The kinds of mistakes that remain, each with one example as a film strip.

Pictures of clips that are not yours to pass on are not to be passed on either; rendered ones are.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelling import Verdict, in_workers, verdict
from benchmarks.tables import Cells, listing
from benchmarks.truth import Truth, add_choice_of_clips, read_truth
from dollygrip.classifiers.labels import BY_NAME
from dollygrip.runners import registry
from dollygrip.runners.drawing import DARK, GREY, LINE, ORANGE, WHITE, Image, wrap, write
from dollygrip.runners.evaluation import CONFUSABLE
from dollygrip.runners.video import FrameRequest, VideoError, read_frames

FRAMES = 5
# A picture of the strip, and the least width of the text above.
_LONG_SIDE, _LEAST_WIDTH, _GAP = 200, 900, 4
# The first of these JPEG qualities that is small enough is taken.
MOST_BYTES, _QUALITIES = 60_000, (85, 70, 55, 40, 25, 10)


@dataclass(frozen=True)
class Case:
    """One clip that is wrong.

    Attributes:
        truth: What is known of it.
        said: What was said.
        kinds: The kinds of its mistakes.
    """

    truth: Truth
    said: Verdict
    kinds: tuple[str, ...]


def kinds_of(truth: Truth, said: Verdict) -> tuple[str, ...]:
    """What was taken for what, sides and signs apart: "pan seen as truck".

    A move that is missing was seen as the label that is too much and most like it, or of the
    highest score, if there is one. What is too much and explains nothing that is missing was seen
    where there is none.
    """
    if said.failure:
        return ("no answer",)
    missed = [name for name in truth.present if name not in said.labels]
    extra = [name for name, answer in truth.answers.items() if answer is False]
    extra = [name for name in extra if name in said.labels]
    kinds, explained = [], set()
    for name in missed:
        if not extra:
            kinds.append(f"{_word(name)} missed")
            continue
        nearest = min(extra, key=lambda other: (_unlikeness(name, other), -said.scores[other]))
        explained.add(nearest)
        turned = "the other way round" if _word(nearest) == _word(name) else f"as {_word(nearest)}"
        kinds.append(f"{_word(name)} seen {turned}")
    kinds += [f"{_word(name)} where there is none" for name in extra if name not in explained]
    return tuple(dict.fromkeys(kinds))


def _word(name: str) -> str:
    return BY_NAME[name].axis or name


def _unlikeness(name: str, other: str) -> int:
    """How far two labels are from looking the same."""
    pairs = [set(pair) for pairs in CONFUSABLE.values() for pair in pairs]
    axes = [{_word(first), _word(second)} for first, second in map(sorted, pairs)]
    if {name, other} in pairs:
        return 0
    if _word(name) == _word(other):
        return 1
    return 2 if {_word(name), _word(other)} in axes else 3


def wrong_cases(truths: Sequence[Truth], verdicts: Sequence[Verdict]) -> dict[str, list[Case]]:
    """The wrong clips of each kind, the clearest first: fewest mistakes, then most trusted.

    Kinds come most frequent first.
    """
    found: dict[str, list[Case]] = {}
    for truth, said in zip(truths, verdicts, strict=True):
        case = Case(truth, said, kinds_of(truth, said))
        for kind in case.kinds:
            found.setdefault(kind, []).append(case)
    for cases in found.values():
        cases.sort(key=lambda case: (len(case.kinds), -case.said.trust, case.truth.clip))
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def film_strip(case: Case, kind: str) -> Image:
    """Five frames of a clip with their times, and what is true and what was said above them.

    Raises:
        VideoError: The clip cannot be read.
    """
    request = FrameRequest(long_side=_LONG_SIDE, rate=float("inf"), color=True)
    count = sum(1 for _ in read_frames(case.truth.path, request))
    wanted = set(np.linspace(0, count - 1, FRAMES).round().astype(int).tolist())
    frames = enumerate(read_frames(case.truth.path, request))
    tiles = [_tile(frame.image, frame.time) for index, frame in frames if index in wanted]
    lines = [
        (f"{case.truth.clip}: {kind}", WHITE),
        (f"truth: {_truth_text(case)}", GREY),
        (f"said: {_said_text(case)}", ORANGE),
    ]
    width = max(_LEAST_WIDTH, sum(tile.shape[1] + _GAP for tile in tiles) - _GAP)
    broken = [(part, color) for text, color in lines for part in wrap(text, width - 16, 4)]
    top = LINE * len(broken) + 10
    canvas = np.full((top + max(tile.shape[0] for tile in tiles), width, 3), DARK, np.uint8)
    for row, (text, color) in enumerate(broken, 1):
        write(canvas, text, 8, row * LINE, color)
    x = 0
    for tile in tiles:
        canvas[top : top + tile.shape[0], x : x + tile.shape[1]] = tile
        x += tile.shape[1] + _GAP
    return canvas


def _tile(picture: Image, time: float) -> Image:
    height, width = picture.shape[:2]
    tile = np.full((height + LINE + 4, width, 3), DARK, np.uint8)
    tile[:height] = picture
    write(tile, f"{time:.2f} s", 2, height + LINE - 4, GREY)
    return tile


def _truth_text(case: Case) -> str:
    sure, unsure = " ".join(case.truth.present) or "nothing", " ".join(case.truth.unsure)
    return f"{sure}; may be: {unsure}" if unsure else sure


def _said_text(case: Case) -> str:
    said = case.said
    if said.failure:
        return said.failure
    told = [name for name in case.truth.answers if name in said.labels]
    others = [n for n in (*case.truth.present, *case.truth.unsure) if n not in told]
    text = " ".join(f"{name} {said.scores[name]:.2f}" for name in told) or "nothing"
    if others:
        text += "; not: " + " ".join(f"{name} {said.scores[name]:.2f}" for name in others)
    if said.ambiguous:
        text += "; ambiguous: " + " ".join("/".join(pair) for pair in said.ambiguous)
    return f"{text}; trust {said.trust:.2f}"


def small_jpeg(picture: Image) -> bytes:
    """The picture as JPEG of at most :data:`MOST_BYTES`, as good as that allows."""
    import cv2

    data = b""
    for quality in _QUALITIES:
        swapped = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])
        data = encoded.tobytes()
        if len(data) <= MOST_BYTES:
            break
    return data


_INDEX: Cells[tuple[str, list[Case]]] = (
    ("kind", lambda kind: kind[0]),
    ("clips", lambda kind: str(len(kind[1]))),
    ("which", lambda kind: " ".join(case.truth.clip for case in kind[1])),
    ("example", lambda kind: f"[picture]({_file_name(kind[0])})"),
)


def _file_name(kind: str) -> str:
    return kind.replace(" ", "_") + ".jpg"


def add_command(commands: Any) -> None:
    """Add ``confusions`` to the argument parser's commands."""
    parser = commands.add_parser("confusions", help="an example of each kind of mistake")
    add_choice_of_clips(parser)
    parser.add_argument("--estimator", default="flow", metavar="NAME")
    parser.add_argument("--classifier", default="learned")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, required=True, help="folder for index.md and pictures")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep motion between runs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label, sort the mistakes, draw one of each kind."""
    registry.choose("estimator", options.estimator)
    truths = read_truth(options.folder, options.only, options.limit)
    tasks = [(t.path, options.estimator, options.classifier, options.cache) for t in truths]
    verdicts = in_workers(
        verdict, tasks, options.jobs, "confusions", lambda why: Verdict(failure=why)
    )
    found = wrong_cases(truths, verdicts)
    wrong = {case.truth.clip for cases in found.values() for case in cases}
    index = f"## Mistakes in {len(wrong)} of {len(truths)} clips, by kind\n\n"
    index += listing(_INDEX, found.items()) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "index.md").write_text(index, encoding="utf-8")
    print(index)
    for kind, cases in found.items():
        try:
            picture = film_strip(cases[0], kind)
        except VideoError as error:
            print(f"{cases[0].truth.clip}: {error}")
            continue
        (options.out / _file_name(kind)).write_bytes(small_jpeg(picture))
    return 0
