"""Labelling from Python: one clip, a folder, and what a run left behind."""

import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.content import stamp_of
from dollygrip.runners.engine import Stop, decoders
from dollygrip.runners.formats.catalog import read_poses as read_pose_file
from dollygrip.runners.inputs import Shard, find_inputs
from dollygrip.runners.launch import EngineName, start_engine
from dollygrip.runners.ledger import read_records, records_at
from dollygrip.runners.limits import memory_share, time_limit
from dollygrip.runners.needs import missing
from dollygrip.runners.pipeline import label_clip_file, reclassify_stored
from dollygrip.runners.plan import POSES, Plan, finder, make_plan
from dollygrip.runners.recipe import Recipe
from dollygrip.runners.registry import (
    Choice,
    Kind,
    SettingsError,
    check_settings,
    choose,
    read_settings,
)
from dollygrip.runners.store import RunStore, read_manifest
from dollygrip.runners.tables import to_frame, update_tables

if TYPE_CHECKING:
    import pandas as pd

    from dollygrip.runners.launch import Pool

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


def label_clips(
    inputs: AnyPath | Iterable[AnyPath],
    out: AnyPath | None = None,
    *,
    jobs: int | None = None,
    estimator: str = "flow",
    classifier: str = "learned",
    settings: Settings = None,
    column: str | None = None,
    shard: str | None = None,
    timeout: float | None = None,
    memory_mb: int | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    retry_failed: bool = False,
    restart: bool = False,
) -> Iterator[ClipLabels]:
    """Label many clips, in worker processes; records come as they are made.

    A script must call this below ``if __name__ == "__main__":``, since the workers import it.

    Args:
        inputs: One or several of: a clip; a folder, searched with its subfolders (with
            ``estimator="poses"`` for pose files); a pattern; a list of clips, see
            :func:`dollygrip.runners.inputs.find_inputs`.
        out: The run folder to write. Clips that it has a record of are not labelled again, unless
            the file or the settings changed; their records come first.
        jobs: Worker processes; one a processor when not given.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        settings: What differs from the defaults.
        column: The column of a list that holds the paths; one of the usual when not given.
        shard: The part of the clips to label, such as ``"2/8"``: the second of eight.
        timeout: Seconds that one clip may take; see
            :func:`dollygrip.runners.limits.time_limit` for how many when not given.
        memory_mb: Mebibytes that one worker may hold; its share of the machine when not given, see
            :func:`dollygrip.runners.limits.memory_share`.
        engine: ``"local"`` for processes of this machine, ``"ray"`` for those of a Ray cluster.
        address: Of the Ray cluster; one is started here when it is not given.
        retry_failed: Try clips again that failed before.
        restart: Forget what ``out`` holds.

    Yields:
        One record a clip.

    Raises:
        SettingsError: There is no such estimator, classifier or setting.
        InputError: There is no such shard, or a list cannot be read.
        ValueError: A limit is not positive.
        StoreError: ``out`` cannot be used.
        EngineError: Workers do not start.
    """
    for name, limit in (("jobs", jobs), ("timeout", timeout), ("memory_mb", memory_mb)):
        if limit is not None and not limit > 0:
            raise ValueError(f"{name} must be positive, not {limit!r}")
    given = (inputs,) if isinstance(inputs, str | os.PathLike) else tuple(inputs)
    part = None if shard is None else Shard.parse(shard)
    with start_engine(
        given, estimator, classifier, jobs, engine=engine, address=address
    ) as workers:
        recipe = make_recipe(
            estimator,
            classifier,
            settings,
            timeout,
            memory_mb,
            jobs=workers.jobs,
            elsewhere=engine != "local",
        )
        found = find_inputs(given, finder(recipe), column=column)
        if out is None:
            with make_plan(found, recipe, shard=part) as plan:
                yield from (result.record for result in workers.label(plan.tasks(), recipe))
            return
        with (
            RunStore(out, restart=restart) as store,
            make_plan(found, recipe, store.folder, retry_failed=retry_failed, shard=part) as plan,
        ):
            yield from records_at(store.folder, plan.kept_offsets())
            yield from carry_out(plan, recipe, store, workers)
            update_tables(store.folder)


def label_folder(
    folder: AnyPath, out: AnyPath | None = None, **options: Any
) -> Iterator[ClipLabels]:
    """Label every clip below a folder: :func:`label_clips` with one input.

    Args:
        folder: The folder.
        out: The run folder to write.
        options: Those of :func:`label_clips`.

    Yields:
        One record a clip.
    """
    return label_clips(folder, out, **options)


def load_results(run: AnyPath) -> "pd.DataFrame":
    """The records of a run as a table, one row a clip.

    Args:
        run: The run folder; the run may still be going on.

    Returns:
        The columns of ``results.csv``; see :func:`dollygrip.runners.tables.to_frame`.

    Raises:
        StoreError: The folder holds no run.
    """
    return to_frame(Path(run))


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
        # First, so that the manifest knows the settings of every record, whatever ends this.
        store.begin(
            {**known, "classifier": choice.hash, "settings": {choice.hash: choice.to_dict()}}
        )
        news = (reclassify_stored(record, folder, made, choice) for record in read_records(folder))
        yield from store.replace_all(news)
        update_tables(folder)


def make_recipe(
    estimator: str,
    classifier: str,
    settings: Settings,
    timeout: float | None = None,
    memory_mb: int | None = None,
    *,
    jobs: int = 1,
    given: Mapping[str, Any] | None = None,
    elsewhere: bool = False,
) -> Recipe:
    """Names and settings, checked.

    Args:
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        settings: What differs from the defaults.
        timeout: Seconds that one clip may take; what suits the estimator when not given.
        memory_mb: Mebibytes that a worker may hold; its share of the machine when not given.
        jobs: How many workers share the machine.
        given: Settings of the estimator that go before those in ``settings``.
        elsewhere: It is for other machines: what this one lacks, and how large it is, does not
            count.

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
    lacking = None if elsewhere else missing(chosen.needs(), chosen.name)
    if lacking is not None:
        raise SettingsError(lacking.message)
    return Recipe(
        chosen,
        _choose("classifier", classifier, settings),
        timeout=time_limit(chosen) if timeout is None else timeout,
        memory_mb=memory_share(jobs) if memory_mb is None and not elsewhere else memory_mb,
    )


def carry_out(
    plan: Plan,
    recipe: Recipe,
    store: RunStore,
    workers: "Pool",
    stop: Stop = lambda: False,
) -> Iterator[ClipLabels]:
    """Do what a plan says is to be done, and write it to the run; each new record.

    Args:
        plan: What there is to do.
        recipe: How.
        store: The run, open.
        workers: Who does it.
        stop: Asked between clips; once it is true, nothing new begins.
    """
    store.begin(_manifest(recipe))
    # For the tables at the end: now the workers are loading too, then they would be done.
    import_module("pyarrow.parquet")
    if plan.motion_kept:
        classifier = recipe.classifier.make()
        for old in records_at(store.folder, plan.motion_kept_offsets()):
            if stop():
                return
            record = reclassify_stored(old, store.folder, classifier, recipe.classifier)
            store.append(record)
            yield record
    for result in workers.label(plan.tasks(), recipe, stop):
        store.append(result.record, result.motion)
        yield result.record


def _choose(
    kind: Kind, name: str, settings: Settings, given: Mapping[str, Any] | None = None
) -> Choice:
    if isinstance(settings, str | os.PathLike):
        tables = read_settings(settings)
    else:
        tables = check_settings(settings or {})
    return choose(kind, name, {**tables[kind].get(name, {}), **(given or {})})


def _manifest(recipe: Recipe) -> dict[str, Any]:
    choices = (recipe.estimator, recipe.classifier)
    return {
        "command": sys.argv,
        "versions": {name: version(name) for name in _VERSIONS},
        "python": platform.python_version(),
        "timeout": recipe.timeout,
        "memory_mb": recipe.memory_mb,
        "estimator": recipe.estimator.hash,
        "classifier": recipe.classifier.hash,
        "settings": {choice.hash: choice.to_dict() for choice in choices},
    }
