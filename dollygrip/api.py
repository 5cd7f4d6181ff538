"""Labelling from Python: one clip, a folder, and what a run left behind."""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.engine import Recipe, Task, Workers, decoders, start_workers
from dollygrip.runners.formats.catalog import find_poses
from dollygrip.runners.formats.catalog import read_poses as read_pose_file
from dollygrip.runners.needs import missing
from dollygrip.runners.pipeline import label_clip_file, reclassify_stored
from dollygrip.runners.registry import (
    Choice,
    Kind,
    SettingsError,
    check_settings,
    choose,
    read_settings,
)
from dollygrip.runners.store import (
    Finished,
    RunStore,
    clip_id_of,
    finished,
    read_manifest,
    read_records,
    records_at,
    stamp_of,
    to_frame,
    unchanged,
    update_tables,
)
from dollygrip.runners.video import find_clips

if TYPE_CHECKING:
    import pandas as pd

POSES = "poses"
_VERSIONS = ("dollygrip", "numpy", "opencv-python-headless", "av", "pycolmap")

AnyPath = str | os.PathLike[str]
Settings = Mapping[str, Any] | AnyPath | None
"""Tables such as ``{"estimator": {"flow": {...}}}``, or a TOML file with them."""


def label_clip(
    path: AnyPath,
    *,
    estimator: str = "flow",
    classifier: str = "learned",
    settings: Settings = None,
) -> ClipLabels:
    """Label one clip in this process.

    Args:
        path: A video file, or a folder of numbered pictures; with ``estimator="poses"`` a file of
            camera poses, see :class:`dollygrip.runners.estimators.poses.PosesSettings`.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        settings: What differs from the defaults.

    Returns:
        The record; a clip that cannot be labelled has ``failure`` set.

    Raises:
        SettingsError: There is no such estimator, classifier or setting.
    """
    recipe = make_recipe(estimator, classifier, settings)
    result = label_clip_file(
        path,
        recipe.estimator.make(),
        recipe.classifier.make(),
        provenance=recipe.provenance(),
        threads=decoders(jobs=1),
    )
    return result.record


def label_trajectory(
    trajectory: Trajectory, *, classifier: str = "learned", settings: Settings = None
) -> ShotLabels:
    """Label a camera path, wherever it is from.

    Args:
        trajectory: At least two poses; see :meth:`dollygrip.geometry.trajectory.Trajectory
            .from_poses`. Give ``scene_depth`` where it is known: without it only directions and
            proportions count.
        classifier: Name of the classifier.
        settings: What differs from its defaults.

    Returns:
        The labels; a path that cannot be labelled has ``failure`` set.

    Raises:
        SettingsError: There is no such classifier or setting.
    """
    made: Classifier = _choose("classifier", classifier, settings).make()
    start, end = float(trajectory.times[0]), float(trajectory.times[-1])
    return made.classify((Hypothesis("given", 1.0, trajectory),), start=start, end=end)


def read_poses(
    path: AnyPath, *, format: str | None = None, convention: str | None = None, rate: float = 24.0
) -> Trajectory:
    """Read a camera path that another program wrote.

    Args:
        path: A file, or a folder such as a COLMAP model.
        format: Its name, see ``dollygrip convert --help``; found out when not given.
        convention: Words that differ from the format's own convention, such as
            ``"camera_from_world opengl"``.
        rate: Poses a second, where the file has no clock.

    Returns:
        The path, in this project's convention.

    Raises:
        PoseError: The file is in no known format, or cannot be read.
    """
    cameras, _, _ = read_pose_file(Path(path), format, convention)
    return cameras.trajectory(rate)


def label_folder(
    folder: AnyPath,
    out: AnyPath | None = None,
    *,
    jobs: int | None = None,
    estimator: str = "flow",
    classifier: str = "learned",
    settings: Settings = None,
    timeout: float | None = None,
    retry_failed: bool = False,
    restart: bool = False,
) -> Iterator[ClipLabels]:
    """Label every clip below a folder, in worker processes; records come as they are made.

    A script must call this below ``if __name__ == "__main__":``, since the workers import it.

    Args:
        folder: Searched with its subfolders for clips; with ``estimator="poses"`` for pose files.
        out: The run folder to write. Clips that it has a record of are not labelled again, unless
            the file or the settings changed; their records come first.
        jobs: Worker processes; one a processor when not given.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        settings: What differs from the defaults.
        timeout: Seconds that one clip may take.
        retry_failed: Try clips again that failed before.
        restart: Forget what ``out`` holds.

    Yields:
        One record a clip.

    Raises:
        SettingsError: There is no such estimator, classifier or setting.
        StoreError: ``out`` cannot be used.
        EngineError: Workers do not start.
    """
    with start_workers([folder], estimator, classifier, jobs) as workers:
        recipe = make_recipe(estimator, classifier, settings, timeout)
        if out is None:
            tasks = make_plan([folder], recipe).tasks
            yield from (result.record for result in workers.label(tasks, recipe))
            return
        plan = make_plan([folder], recipe, None if restart else out, retry_failed=retry_failed)
        with RunStore(out, restart=restart) as store:
            yield from carry_out(plan, recipe, store, workers)
            update_tables(store.folder)


def load_results(run: AnyPath) -> "pd.DataFrame":
    """The records of a run as a table, one row a clip.

    Args:
        run: The run folder; the run may still be going on.

    Returns:
        The columns of ``results.csv``; see :func:`dollygrip.runners.store.to_frame`.

    Raises:
        StoreError: The folder holds no run.
    """
    return to_frame(read_records(Path(run)))


def classify_run(
    run: AnyPath, classifier: str = "learned", *, settings: Settings = None
) -> Iterator[ClipLabels]:
    """Label the clips of a run anew from its stored motion, without reading a video.

    The run's records are replaced when the iteration comes to its end, all or none.

    Args:
        run: The run folder.
        classifier: Name of the classifier.
        settings: What differs from its defaults.

    Yields:
        The new record of each clip.

    Raises:
        SettingsError: There is no such classifier or setting.
        StoreError: The folder holds no run, or is being written.
    """
    folder = Path(run)
    choice = _choose("classifier", classifier, settings)
    made = choice.make()
    known = read_manifest(folder)
    with RunStore(folder) as store:
        news = (reclassify_stored(record, folder, made, choice) for record in read_records(folder))
        yield from store.replace_all(news)
        store.begin(
            {**known, "classifier": choice.hash, "settings": {choice.hash: choice.to_dict()}}
        )
        update_tables(folder)


@dataclass(frozen=True)
class Plan:
    """What there is to do for some inputs.

    Attributes:
        kept: Where the run has records that are still right.
        motion_kept: Where it has records whose motion is still right, but not their classifier.
        tasks: Clips to label.
    """

    kept: tuple[int, ...]
    motion_kept: tuple[int, ...]
    tasks: tuple[Task, ...]

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.kept) + len(self.motion_kept) + len(self.tasks)


def make_recipe(
    estimator: str,
    classifier: str,
    settings: Settings,
    timeout: float | None = None,
    *,
    given: Mapping[str, Any] | None = None,
) -> Recipe:
    """Names and settings, checked.

    Args:
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        settings: What differs from the defaults.
        timeout: Seconds that one clip may take.
        given: Settings of the estimator that go before those in ``settings``.

    Raises:
        SettingsError: There is no such estimator, classifier or setting, or the estimator lacks
            something that it needs.
    """
    if isinstance(settings, str | os.PathLike):
        # Once: it may be a pipe.
        settings = {str(kind): tables for kind, tables in read_settings(settings).items()}
    chosen = _choose("estimator", estimator, settings, given)
    if chosen.name == POSES and chosen.settings["poses"]:
        stamp = stamp_of(Path(chosen.settings["poses"]))
        chosen = replace(chosen, settings={**chosen.settings, "stamp": stamp})
    # Said once for all clips, and not by each of them.
    lacking = missing(chosen.needs(), chosen.name)
    if lacking is not None:
        raise SettingsError(lacking.message)
    return Recipe(chosen, _choose("classifier", classifier, settings), timeout=timeout)


def make_plan(
    inputs: Iterable[AnyPath],
    recipe: Recipe,
    run: AnyPath | None = None,
    *,
    retry_failed: bool = False,
) -> Plan:
    """Find the clips of some inputs, and which of them a run has records of.

    Args:
        inputs: Files and folders.
        recipe: How they are to be labelled.
        run: The run folder to go on with.
        retry_failed: Failed records do not count.
    """
    known = {} if run is None else finished(Path(run))
    kept, motion_kept, tasks = [], [], []
    for path, clip_id in _named(inputs, known, _finder(recipe)):
        record = known.get(clip_id)
        if (
            record is None
            or not unchanged(path, record.content)
            or record.settings[0] != recipe.hashes[0]
            or (record.failed and retry_failed)
        ):
            tasks.append(Task(os.fspath(path), clip_id))
        elif record.settings[1] != recipe.hashes[1]:
            motion_kept.append(record.offset)
        else:
            kept.append(record.offset)
    return Plan(tuple(kept), tuple(motion_kept), tuple(tasks))


def carry_out(
    plan: Plan, recipe: Recipe, store: RunStore, workers: Workers
) -> Iterator[ClipLabels]:
    """Do what a plan says, and write it to the run; the record of every clip."""
    store.begin(_manifest(recipe))
    # For the tables at the end: now the workers are loading too, then they would be done.
    import_module("pyarrow.parquet")
    yield from records_at(store.folder, plan.kept)
    if plan.motion_kept:
        classifier = recipe.classifier.make()
        for old in records_at(store.folder, plan.motion_kept):
            record = reclassify_stored(old, store.folder, classifier, recipe.classifier)
            store.append(record)
            yield record
    for result in workers.label(plan.tasks, recipe):
        store.append(result.record, result.shots)
        yield result.record


def _choose(
    kind: Kind, name: str, settings: Settings, given: Mapping[str, Any] | None = None
) -> Choice:
    if isinstance(settings, str | os.PathLike):
        tables = read_settings(settings)
    else:
        tables = check_settings(settings or {})
    return choose(kind, name, {**tables[kind].get(name, {}), **(given or {})})


def _finder(recipe: Recipe) -> Callable[[Iterable[Path]], Iterator[Path]]:
    """What finds the clips below an input: pose files where they are read without a video."""
    settings = recipe.estimator.settings
    if recipe.estimator.name == POSES and not settings["poses"]:
        return partial(find_poses, name=settings["format"] or None)
    return find_clips


def _named(
    inputs: Iterable[AnyPath],
    known: Mapping[str, Finished],
    find: Callable[[Iterable[Path]], Iterator[Path]],
) -> Iterator[tuple[Path, str]]:
    """Each clip once, with its name in the run.

    The name comes from the clip's place below its input, so that a folder may move. Where that
    is taken by another clip (another input with the same file names), it comes from the whole
    path.
    """
    files: set[str] = set()
    taken: set[str] = set()
    for given in map(Path, inputs):
        for path in find([given]):
            whole = path.absolute()
            if str(whole) in files:
                continue
            files.add(str(whole))
            name = clip_id_of(path, given.parent if path == given else given)
            other = known.get(name)
            stranger = other and other.path != str(path) and not unchanged(path, other.content)
            if name in taken or stranger:
                name = clip_id_of(whole, Path(whole.anchor))
            taken.add(name)
            yield path, name


def _manifest(recipe: Recipe) -> dict[str, Any]:
    choices = (recipe.estimator, recipe.classifier)
    return {
        "command": sys.argv,
        "versions": {name: version(name) for name in _VERSIONS},
        "python": platform.python_version(),
        "timeout": recipe.timeout,
        "estimator": recipe.estimator.hash,
        "classifier": recipe.classifier.hash,
        "settings": {choice.hash: choice.to_dict() for choice in choices},
    }
