"""What each part of the flow estimator is worth: the same clips with one part switched off.

Parts are replaced from outside while a clip is labelled; the estimator itself has no switches.
A part that is no longer there is an error, so that no row of the table means nothing; one that
makes no difference on any clip says so in its row.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.labelling import Verdict, in_workers, verdict_of
from benchmarks.scoring import confidence, evaluation, stillness
from benchmarks.tables import Cells, listing, mean, number, write_json
from benchmarks.truth import Truth, add_choice_of_clips, read_truth
from dollygrip.classifiers.learned import LearnedClassifier
from dollygrip.geometry.bundle import Solution
from dollygrip.geometry.ladder import ALL, MOVING
from dollygrip.runners.estimators.flow import DEFAULTS, FlowEstimator
from dollygrip.runners.estimators.tracks import Tracks
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.pipeline import classify_shots, label_clip_file
from dollygrip.runners.video import Frame

# Everything is done to a clip in one go, so this is for all ablations together.
TIMEOUT_SECONDS = 3600.0
# Scores that differ by less are the same.
_SAME_SCORE = 1e-6


@dataclass(frozen=True)
class Swap:
    """One name of a module that stands for something else for a while.

    Attributes:
        module: Where the name is looked up when the estimator runs.
        name: The name.
        other: What stands for it, made from what it stood for.
    """

    module: str
    name: str
    other: Callable[[Any], Any]


@dataclass(frozen=True)
class Ablation:
    """The estimator without one of its parts.

    Attributes:
        name: What is switched off or changed.
        swaps: Which names stand for something else.
        settings: Fields of ``FlowSettings`` that differ.
        tracking: Whether the tracks are others, so that the clip must be read again.
    """

    name: str
    swaps: tuple[Swap, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    tracking: bool = False


def _nothing_else(path: Solution) -> Solution:
    """Stands for a start in which zooms are travel: a start that is already there."""
    return replace(path, zooms=np.zeros(len(path.zooms)))


def _unannealed(fit: Callable[..., Any]) -> Callable[..., Any]:
    def fit_at_once(*args: Any, scales: Any, **how: Any) -> Any:
        return fit(*args, scales=np.full(len(scales), scales[-1]), **how)

    return fit_at_once


def _value(value: Any) -> Callable[[Any], Any]:
    return lambda old: value


_BUNDLE, _LADDER = "dollygrip.geometry.bundle", "dollygrip.geometry.ladder"
_FLOW, _PIECES, _TRACKS, _WINDOWS = (
    f"dollygrip.runners.estimators.{name}" for name in ("flow", "pieces", "tracks", "windows")
)

ABLATIONS = (
    Ablation(
        "no still-camera evidence",
        (Swap(_PIECES, "still_share", _value(lambda *args: np.zeros((0, 2)))),),
    ),
    Ablation(
        "always the freest model",
        (Swap(_LADDER, "weigh", _value(lambda *args: {m: float(m == ALL) for m in MOVING})),),
    ),
    Ablation(
        "free models cost nothing",
        (Swap(_LADDER, "PRICES", lambda prices: dict.fromkeys(prices, 0.0)),),
    ),
    Ablation("no start: zoom as dolly", (Swap(_LADDER, "zoom_as_dolly", _value(_nothing_else)),)),
    Ablation(
        "no start: turns as travel", (Swap(_LADDER, "turns_as_travel", _value(_nothing_else)),)
    ),
    Ablation(
        "no start: zoom against dolly", (Swap(_LADDER, "zoom_against_dolly", _value(lambda p: p)),)
    ),
    Ablation("no start: inside out", (Swap(_LADDER, "inside_out", _value(lambda path: path)),)),
    Ablation(
        "kernel not annealed",
        (Swap(_LADDER, "adjust", _unannealed), Swap(_WINDOWS, "fit_steps", _unannealed)),
    ),
    Ablation("no ground expected", (Swap(_WINDOWS, "GROUND", _value(0.0)),)),
    Ablation("focal length as expected", (Swap(_BUNDLE, "FOCAL_SPREAD", _value(1e-4)),)),
    Ablation("priors count a tenth (TEMPER)", (Swap(_BUNDLE, "TEMPER", lambda t: 0.1 * t),)),
    Ablation("priors count three times (TEMPER)", (Swap(_BUNDLE, "TEMPER", lambda t: 3.0 * t),)),
    Ablation("windows half as long", settings={"window": DEFAULTS.window / 2}, tracking=True),
    Ablation("windows twice as long", settings={"window": DEFAULTS.window * 2}, tracking=True),
    Ablation("half the keyframes", settings={"keyframes": DEFAULTS.keyframes // 2}),
    Ablation("twice the keyframes", settings={"keyframes": DEFAULTS.keyframes * 2}),
    Ablation("half the tracks", settings={"tracks": DEFAULTS.tracks // 2}),
    Ablation("twice the tracks", settings={"tracks": DEFAULTS.tracks * 2}),
    Ablation(
        "overlays not left out",
        (Swap(_TRACKS, "burnt_in", _value(lambda track, *args: np.zeros(len(track), np.bool_))),),
        tracking=True,
    ),
    Ablation(
        "no forward-backward check", (Swap(_TRACKS, "ROUND_TRIP", _value(np.inf)),), tracking=True
    ),
    Ablation(
        "pictures 2/3 the size", settings={"long_side": DEFAULTS.long_side * 2 // 3}, tracking=True
    ),
    Ablation(
        "pictures 4/3 the size", settings={"long_side": DEFAULTS.long_side * 4 // 3}, tracking=True
    ),
    Ablation("half the rate", settings={"rate": DEFAULTS.rate / 2}, tracking=True),
    Ablation("twice the rate", settings={"rate": DEFAULTS.rate * 2}, tracking=True),
)
WHOLE = Ablation("nothing")


@contextmanager
def without(ablation: Ablation) -> Iterator[FlowEstimator]:
    """The estimator without a part, while the context lasts.

    Raises:
        ValueError: The estimator has no such part or setting any more.
    """
    with ExitStack() as undo:
        try:
            for swap in ablation.swaps:
                undo.enter_context(_swapped(swap))
            settings = replace(DEFAULTS, **ablation.settings)
        except (AttributeError, TypeError) as error:
            raise ValueError(f"{ablation.name!r} is out of date: {error}") from error
        yield FlowEstimator(settings)


@contextmanager
def _swapped(swap: Swap) -> Iterator[None]:
    module = import_module(swap.module)
    old = getattr(module, swap.name)
    setattr(module, swap.name, swap.other(old))
    try:
        yield
    finally:
        setattr(module, swap.name, old)


@dataclass(frozen=True, eq=False)
class _Followed:
    """What was followed in one shot, for estimating again without reading again."""

    start: float
    end: float
    pieces: list[Tracks]


def label_without(path: Path, names: Sequence[str]) -> list[Verdict]:
    """Label one clip with the whole estimator, and then without each of some parts.

    Args:
        path: The clip.
        names: Of :data:`ABLATIONS`.

    Returns:
        The verdict of the whole estimator and one a name. ``seconds`` are CPU time; reading and
        tracking count in each, though they are done once where they are the same.

    Raises:
        ValueError: Estimating again from the same tracks gives something else.
    """
    import cv2

    cv2.setNumThreads(1)
    _label(path, WHOLE)  # What is loaded on first use must not count.
    whole, shots = _label(path, WHOLE)
    verdicts = [whole]
    if not shots:
        return verdicts * (1 + len(names))
    again = _label_again(shots, WHOLE)
    if differ(whole, again):
        raise ValueError("the estimator sees more of a clip than its tracks: read it every time")
    reading = whole.seconds - again.seconds
    for ablation in (_named(name) for name in names):
        if ablation.tracking:
            verdicts.append(_label(path, ablation)[0])
        else:
            said = _label_again(shots, ablation)
            verdicts.append(replace(said, seconds=reading + said.seconds))
    return verdicts


def _named(name: str) -> Ablation:
    return next(ablation for ablation in ABLATIONS if ablation.name == name)


def _label(path: Path, ablation: Ablation) -> tuple[Verdict, list[_Followed]]:
    """The verdict, and what was followed in each shot."""
    followed: list[list[Tracks]] = []

    def remember(track_pieces: Callable[..., Iterator[Tracks]]) -> Callable[..., list[Tracks]]:
        def remembered(frames: Iterable[Frame], seconds: float) -> list[Tracks]:
            followed.append(list(track_pieces(frames, seconds)))
            return followed[-1]

        return remembered

    started = time.process_time()
    with without(ablation) as estimator, _swapped(Swap(_FLOW, "track_pieces", remember)):
        result = label_clip_file(path, estimator, LearnedClassifier())
    said = verdict_of(result.record.whole, time.process_time() - started)
    shots = zip(result.shots, followed, strict=True)
    return said, [_Followed(shot.start, shot.end, pieces) for shot, pieces in shots]


def _label_again(shots: Sequence[_Followed], ablation: Ablation) -> Verdict:
    """The verdict from what was followed before; a crash is a failure."""
    started = time.process_time()
    motions = []
    for shot in shots:
        known = Swap(_FLOW, "track_pieces", _value(lambda *args, known=shot.pieces: known))
        with without(ablation) as estimator, _swapped(known), threadpool_limits(limits=1):
            try:
                estimate = estimator.estimate(())
            except Exception as error:
                return Verdict(failure=f"{type(error).__name__}: {error}")
        motions.append(
            ShotMotion(
                start=shot.start,
                end=shot.end,
                hypotheses=estimate.hypotheses,
                failure=estimate.failure,
                doubts=estimate.doubts,
                diagnostics=estimate.diagnostics,
            )
        )
    whole, _ = classify_shots(LearnedClassifier(), motions)
    return verdict_of(whole, time.process_time() - started)


def differ(first: Verdict, second: Verdict) -> bool:
    """Whether two verdicts are not the same, but for trust and time."""
    if bool(first.failure) != bool(second.failure) or first.labels != second.labels:
        return True
    return any(abs(first.scores[n] - second.scores[n]) > _SAME_SCORE for n in first.scores)


@dataclass(frozen=True)
class Row:
    """One ablation on all clips.

    Attributes:
        name: What is switched off.
        mean_ap: Of its verdicts.
        exact: Share of clips whose every known primitive is right.
        still: Share of the still cameras that are called ``static``.
        failed: Share of clips without an answer.
        seconds: Mean CPU time of a clip.
        confidently_wrong: Share of clips with a wrong label that was told with confidence.
        changed: Clips whose scores are not those of the whole estimator.
    """

    name: str
    mean_ap: float
    exact: float
    still: float
    failed: float
    seconds: float
    confidently_wrong: float
    changed: int


def rows(
    truths: Sequence[Truth], names: Sequence[str], verdicts: Sequence[Sequence[Verdict]]
) -> list[Row]:
    """One row for the whole estimator and one for each ablation.

    Args:
        truths: What is known of each clip.
        names: Of the ablations.
        verdicts: For each clip what :func:`label_without` returns.
    """
    told = []
    for index, name in enumerate([WHOLE.name, *names]):
        said = [of_clip[index] for of_clip in verdicts]
        found = evaluation(name, truths, said)
        told.append(
            Row(
                name=name,
                mean_ap=found.mean_ap.value,
                exact=found.exact.value,
                still=stillness(truths, said).recall,
                failed=found.failure_rate,
                seconds=mean(v.seconds for v in said),
                confidently_wrong=confidence(truths, said).share,
                changed=sum(differ(of_clip[0], of_clip[index]) for of_clip in verdicts),
            )
        )
    return told


def _effect(row: Row) -> str:
    if row.name == WHOLE.name:
        return "-"
    return str(row.changed) if row.changed else "none: no effect"


_CELLS: Cells[Row] = (
    ("switched off", lambda row: row.name),
    ("mean AP", lambda row: number(row.mean_ap)),
    ("exact", lambda row: number(row.exact)),
    ("still called static", lambda row: number(row.still)),
    ("confidently wrong", lambda row: number(row.confidently_wrong)),
    ("failed", lambda row: number(row.failed)),
    ("CPU s a clip", lambda row: number(row.seconds, 2)),
    ("clips with other scores", _effect),
)


def add_command(commands: Any) -> None:
    """Add ``ablations`` to the argument parser's commands."""
    parser = commands.add_parser("ablations", help="the flow estimator without each of its parts")
    add_choice_of_clips(parser)
    parser.add_argument("--parts", default="*", metavar="PATTERN", help="which: '*start*'")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, help="folder for ablations.md and ablations.json")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label every clip with and without each part, score, print and write."""
    truths = read_truth(options.folder, options.only, options.limit)
    chosen = [ablation for ablation in ABLATIONS if fnmatch(ablation.name, options.parts)]
    if not chosen:
        raise ValueError(f"no part matches {options.parts!r}")
    for ablation in chosen:
        with without(ablation):  # What is out of date is told before the work starts.
            pass
    names = [ablation.name for ablation in chosen]
    tasks = [(truth.path, names) for truth in truths]
    lost: Callable[[str], list[Verdict] | str] = str
    results = in_workers(label_without, tasks, options.jobs, "ablations", lost, TIMEOUT_SECONDS)
    both = list(zip(truths, results, strict=True))
    left_out = [(truth.clip, told) for truth, told in both if isinstance(told, str)]
    done = [(truth, told) for truth, told in both if not isinstance(told, str)]
    told = rows([truth for truth, _ in done], names, [verdicts for _, verdicts in done])
    text = f"## Ablations on {len(done)} clips\n\n{listing(_CELLS, told)}\n"
    text += "".join(f"\nLeft out: {clip}: {why}\n" for clip, why in left_out)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "ablations.md").write_text(text, encoding="utf-8")
        write_json(options.out / "ablations.json", [asdict(row) for row in told])
    print(text)
    return 1 if left_out else 0
