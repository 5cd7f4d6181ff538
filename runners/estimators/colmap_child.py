"""Runs COLMAP on a folder of pictures; a program of its own, for COLMAP may abort its process.

``python -m dollygrip.runners.estimators.colmap_child FOLDER``, where FOLDER holds ``job.json``
(:class:`Job`) and ``pictures/``. Writes ``report.json`` and ``MODEL.npz`` for each of its models.
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from dollygrip.geometry.ladder import ALL, FLAT, ROTATION, TRANSLATION, ZOOM
from dollygrip.runners.estimators.colmap_model import described, path_of, write, zoomed_path_of
from dollygrip.runners.estimators.turns import Pair, Turn, best_turn, residuals, unit_of

Reconstruction = Any
"""pycolmap's; its stubs allow None where a model has none."""

# Pairs with fewer matches tell nothing; a model starts from a pair with many.
_MATCHED, _WELL_MATCHED = 15, 60
# A model is grown from so many pairs, until it has this share of the pictures, and an error smaller
# than so many pixels of a picture 480 wide.
_STARTS, _WHOLE, _SMALL_ERROR = 2, 0.9, 0.6
# Global mapping places cameras even without parallax; then there are next to no points.
_FEWEST_POINTS = 100
# Focal lengths are taken from the adjustment where that knows them to this share: one for the shot,
# or each of them.
_KNOWN, _KNOWN_EACH = 0.02, 0.05


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        names: The pictures, in order of time.
        size: (width, height) in pixels.
        focal_length: Expected, pixels.
        mapper: "incremental" or "global".
        focal: "prior", "refined" or "per_frame".
        features: At most this many a picture.
        overlap: Each picture is matched with so many that follow.
        threads: Of COLMAP.
        seed: Of all that is random.
    """

    names: tuple[str, ...]
    size: tuple[int, int]
    focal_length: float
    mapper: str
    focal: str
    features: int
    overlap: int
    threads: int
    seed: int


def main() -> None:
    """Do the job of the folder that the command line names."""
    folder = Path(sys.argv[1])
    job = Job(**json.loads((folder / "job.json").read_text()))
    pycolmap.logging.minloglevel = int(pycolmap.logging.ERROR)
    pycolmap.set_random_seed(job.seed)
    report = solve(folder, job)
    (folder / "report.json").write_text(json.dumps(report))


def solve(folder: Path, job: Job) -> dict[str, Any]:
    """Map the pictures, write the paths, and report.

    Returns:
        What was found, JSON-ready. ``models`` has the probability of each path, likeliest first;
        it is empty where there is none.
    """
    match(folder, job)
    pairs = matched_pairs(folder, job)
    models: dict[str, float] = {}
    report = {"pictures": len(job.names), "models": models} | described_pairs(folder)
    if not pairs:
        return report
    turn = best_turn(pairs, job.focal_length, max(job.size))
    report |= {
        "turn_error": turn.error,
        "turn_explains": turn.explains,
        "zoom_error": turn.zoom_error,
        "zoom_explains": turn.zoom_explains,
    }
    kind, model = TRANSLATION, None
    if not turn.explains:
        model = global_model(folder, job) if job.mapper == "global" else grown(folder, job, pairs)
    if job.mapper == "global" and (model is None or model.num_points3D() < _FEWEST_POINTS):
        kind, model = ROTATION, turned_model(folder, job, turn) if turn.nearly_explains else None
    if model is None:
        return report
    probability = 1.0
    if kind == TRANSLATION and job.focal != "prior":
        if turn.zoom_explains:
            probability = FLAT
            write(folder / f"{ZOOM}.npz", zoomed_path_of(model, job.names))
            models[ZOOM] = 1.0 - FLAT
        model, refined = refine(model, _KNOWN_EACH if job.focal == "per_frame" else _KNOWN)
        report |= refined
        if refined["focal_known"] and job.focal == "per_frame":
            kind = ALL
    write(folder / f"{kind}.npz", path_of(model, job.names, kind))
    models[kind] = probability
    return report | described(model, kind)


# --- pictures and pairs of them ---------------------------------------------------------------


def match(folder: Path, job: Job) -> None:
    """Find features and match neighbouring pictures, and some that are 2, 4, 8... apart."""
    width, height = job.size
    reader = pycolmap.ImageReaderOptions(
        camera_model="SIMPLE_PINHOLE",
        # Given parameters count as a calibration: essential matrices, not fundamental ones.
        camera_params=f"{job.focal_length!r},{width / 2},{height / 2}",
    )
    extraction = pycolmap.FeatureExtractionOptions(
        num_threads=job.threads, max_image_size=max(job.size)
    )
    extraction.sift.max_num_features = job.features
    # Upsampled pictures would take three times as long.
    extraction.sift.first_octave = 0
    cameras = pycolmap.CameraMode
    pycolmap.extract_features(
        _database(folder),
        folder / "pictures",
        image_names=list(job.names),
        camera_mode=cameras.PER_IMAGE if job.focal == "per_frame" else cameras.SINGLE,
        reader_options=reader,
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = job.seed
    pycolmap.match_sequential(
        _database(folder),
        matching_options=pycolmap.FeatureMatchingOptions(num_threads=job.threads),
        # Powers of two close loops without a vocabulary tree.
        pairing_options=pycolmap.SequentialPairingOptions(
            overlap=job.overlap, quadratic_overlap=True
        ),
        verification_options=verification,
        device=pycolmap.Device.cpu,
    )


def matched_pairs(folder: Path, job: Job) -> list[Pair]:
    """Pairs of pictures with their matches, in COLMAP's numbers of the pictures."""
    middle = 0.5 * np.array(job.size)
    with pycolmap.Database.open(_database(folder)) as data:
        points = {
            image.image_id: data.read_keypoints(image.image_id)[:, :2].astype(float) - middle
            for image in data.read_all_images()
        }
        ids, geometries = data.read_two_view_geometries()
    pairs = []
    for pair_id, geometry in zip(ids, geometries, strict=True):
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        matches = geometry.inlier_matches
        if len(matches) >= _MATCHED:
            pairs.append(
                Pair(first, second, points[first][matches[:, 0]], points[second][matches[:, 1]])
            )
    return pairs


def described_pairs(folder: Path) -> dict[str, Any]:
    """How many features the pictures have, and what COLMAP makes of the pairs."""
    with pycolmap.Database.open(_database(folder)) as data:
        features = [data.num_keypoints_for_image(i.image_id) for i in data.read_all_images()]
        geometries = data.read_two_view_geometries()[1]
    kinds = Counter(
        pycolmap.TwoViewGeometryConfiguration(geometry.config).name.lower()
        for geometry in geometries
    )
    return {"features": float(np.median(features or [0])), "pairs": dict(sorted(kinds.items()))}


# --- models -----------------------------------------------------------------------------------


def grown(folder: Path, job: Job, pairs: list[Pair]) -> Reconstruction | None:
    """Incremental mapping from the pairs with the most parallax; the largest model.

    COLMAP itself starts from the pair with the most matches. In a clip these are neighbours, whose
    tiny parallax gives a scene that is bent, or none.
    """
    best: Reconstruction | None = None
    for pair in _starts(pairs, job.focal_length):
        options = pycolmap.IncrementalPipelineOptions(
            init_image_id1=pair.first,
            init_image_id2=pair.second,
            num_threads=job.threads,
            random_seed=job.seed,
            multiple_models=False,
            min_model_size=3,
            extract_colors=False,
            ba_refine_focal_length=False,
            ba_global_frames_ratio=1.4,
            ba_global_points_ratio=1.4,
            ba_global_max_refinements=2,
        )
        # Clips are short, and their parallax small.
        options.mapper.init_min_tri_angle = 1.5
        options.mapper.filter_min_tri_angle = 1.0
        options.triangulation.min_angle = 1.0
        options.mapper.init_max_forward_motion = 1.0
        options.mapper.init_min_num_inliers = _WELL_MATCHED
        options.mapper.abs_pose_refine_focal_length = False
        model = _largest(
            pycolmap.incremental_mapping(
                _database(folder), folder / "pictures", _models(folder), options
            )
        )
        if model is not None and (best is None or _rank(model) > _rank(best)):
            best = model
        if best is not None and _is_whole(best, job):
            break
    return best


def global_model(folder: Path, job: Job, *, rotations_only: bool = False) -> Reconstruction | None:
    """Global mapping (GLOMAP); the largest model."""
    options = pycolmap.GlobalPipelineOptions(
        num_threads=job.threads, random_seed=job.seed, multiple_models=False
    )
    options.mapper.bundle_adjustment.refine_focal_length = False
    options.mapper.skip_global_positioning = rotations_only
    options.mapper.skip_bundle_adjustment = rotations_only
    options.mapper.skip_retriangulation = rotations_only
    return _largest(
        pycolmap.global_mapping(_database(folder), folder / "pictures", _models(folder), options)
    )


def turned_model(folder: Path, job: Job, turn: Turn) -> Reconstruction | None:
    """Rotation averaging alone, with the focal length that explains the turns."""
    with pycolmap.Database.open(_database(folder)) as data:
        for camera in data.read_all_cameras():
            camera.focal_length = turn.focal
            data.update_camera(camera)
    return global_model(folder, job, rotations_only=True)


def refine(model: Reconstruction, least: float) -> tuple[Reconstruction, dict[str, Any]]:
    """Free the focal lengths, unless the pictures do not tell them.

    Args:
        model: It stays as it is.
        least: What to believe: largest standard deviation of a log focal length.

    Returns:
        The model with the refined focal lengths, or as it was; and what was found.
    """
    free: Reconstruction = pycolmap.Reconstruction(model)
    config = pycolmap.BundleAdjustmentConfig()
    registered = sorted(free.reg_image_ids())
    for number in registered:
        config.add_image(number)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    options = pycolmap.BundleAdjustmentOptions(print_summary=False)
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(options, config, free)
    adjuster.solve()
    covariance = pycolmap.estimate_ba_covariance(
        pycolmap.BACovarianceOptions(params=pycolmap.BACovarianceOptionsParams.ALL), free, adjuster
    )
    if covariance is None:
        return model, {"focal_known": False, "focal_sigma": None}
    cameras = {free.images[number].camera_id: free.images[number].camera for number in registered}
    sigmas = []
    for camera in cameras.values():
        variance = covariance.get_other_params_cov(camera.params)
        sigma = np.inf if variance is None else float(np.sqrt(variance[0, 0]))
        sigmas.append(sigma / camera.focal_length)
    sigma = max(sigmas)
    if not sigma < least:
        return model, {"focal_known": False, "focal_sigma": sigma if np.isfinite(sigma) else None}
    return free, {"focal_known": True, "focal_sigma": sigma}


def _starts(pairs: list[Pair], focal: float) -> list[Pair]:
    """Well matched pairs that a turn explains least."""
    good = [pair for pair in pairs if len(pair.xy_first) >= _WELL_MATCHED]
    parallax = {id(pair): float(np.median(residuals(pair, focal))) for pair in good}
    return sorted(good, key=lambda pair: -parallax[id(pair)])[:_STARTS]


def _is_whole(model: Reconstruction, job: Job) -> bool:
    """Whether a model leaves little to wish for."""
    error = float(model.compute_mean_reprojection_error())
    whole: bool = model.num_reg_images() >= _WHOLE * len(job.names)
    return whole and error < _SMALL_ERROR * unit_of(max(job.size))


def _rank(model: Reconstruction) -> tuple[int, float]:
    return model.num_reg_images(), -model.compute_mean_reprojection_error()


def _largest(models: dict[int, Reconstruction]) -> Reconstruction | None:
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def _database(folder: Path) -> Path:
    return folder / "database.db"


def _models(folder: Path) -> Path:
    """Where COLMAP writes its models, which are not read."""
    models = folder / "models"
    models.mkdir(exist_ok=True)
    return models


if __name__ == "__main__":
    main()
