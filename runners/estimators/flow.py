"""The embedded estimator: point tracks, a ladder of motion models, no weights, CPU only.

1. Follow corners (:mod:`.tracks`).
2. Fit a turn and a zoom to every pair of neighbouring frames (:mod:`dollygrip.geometry.twoview`).
3. Bundle-adjust keyframes under five models: nothing moves; rotation; rotation and zoom;
   rotation and translation; all (:mod:`dollygrip.geometry.bundle`).
4. Weigh the models by what each explains against what it costs; a picture whose cells stand
   still over a second can only come from a camera that stood still.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.bundle import Observations, Solution, adjust, explained_share, standing_still
from dollygrip.geometry.rotations import exp, log
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.geometry.twoview import fit_turns
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.stillness import GRID as STILL_GRID
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.video import Frame, FrameRequest


@dataclass(frozen=True)
class FlowSettings:
    """Settings of the flow estimator.

    Attributes:
        long_side: Pictures are shrunk to this long side, pixels.
        rate: Pictures a second.
        window: Seconds that are adjusted together; longer shots are chained.
        keyframes: Pictures of a window that enter the adjustment.
        tracks: Point tracks of a window that enter the adjustment.
    """

    long_side: int = 480
    rate: float = 12.0
    window: float = 6.0
    keyframes: int = 32
    tracks: int = 400


MODELS = ("static", "rotation", "rotation+zoom", "rotation+translation", "all")

# Share of the observations, of what the best model explains, that a freer model must add to be
# preferred; translation brings a depth for every track and soaks up noise, so it must add most.
# The scale is how sharp the choice is.
PRICE = {"rotation": 0.0, "rotation+zoom": 0.14, "rotation+translation": 0.36, "all": 0.48}
SHARPNESS = 0.05
SCALE_FACTOR, SCALE_LEAST = 2.5, 0.3


# How much nearer (in inverse depth) the bottom of a picture is than its middle, before anything
# is known: most cameras stand on a ground. It decides between the two depth orders that small
# motion cannot tell apart.
GROUND = 0.4


class FlowEstimator:
    """Camera path from point tracks."""

    name = "flow"

    def __init__(self, settings: FlowSettings = FlowSettings()) -> None:
        """Store the settings."""
        self.settings = settings
        self.frame_request = FrameRequest(settings.long_side, settings.rate)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot; see the module's text."""
        started = time.perf_counter()
        tracks = track_points(frames)
        failure = unusable(tracks)
        if failure is not None:
            return Estimate(
                (),
                failure,
                estimator=self.name,
                settings=asdict(self.settings),
                seconds=time.perf_counter() - started,
            )
        hypotheses, diagnostics = explain(tracks, self.settings)
        return Estimate(
            hypotheses,
            diagnostics=diagnostics,
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(self.settings),
        )


def unusable(tracks: Tracks) -> Failure | None:
    """Why these pictures cannot tell anything, if so."""
    if len(tracks.times) < 3:
        return Failure(
            Reason.TOO_SHORT,
            f"only {len(tracks.times)} picture(s); at least 3 are needed to see a motion",
        )
    if max(tracks.size) < 48:
        return Failure(
            Reason.TOO_SMALL, f"pictures of {tracks.size[0]}x{tracks.size[1]} are too small"
        )
    if len(tracks.frame) < 3 * len(tracks.times):
        dark = tracks.brightness.mean() < 16
        reason = Reason.TOO_DARK if dark else Reason.NO_TEXTURE
        return Failure(reason, "the pictures show nothing to follow from frame to frame")
    return None


def explain(tracks: Tracks, settings: FlowSettings):
    focal = FOCAL_PRIOR * max(tracks.size)
    earlier, later = neighbours(tracks)
    chain = fit_turns(
        tracks.frame[earlier],
        tracks.xy[earlier],
        tracks.xy[later],
        np.ones(len(earlier)),
        focal,
        len(tracks.times) - 1,
        np.zeros((len(tracks.times) - 1, 4)),
        np.geomspace(30.0, 1.0, 10) * max(tracks.size) / 480,
        np.full(4, 0.5),
    )
    stillness = still_share(tracks)
    windows = [
        explain_window(tracks, chain, focal, first, last, settings)
        for first, last in split_windows(tracks.times, settings.window)
    ]
    moving = 1.0 - still_probability(stillness)
    lengths = np.array(
        [last - first for first, last in split_windows(tracks.times, settings.window)]
    )
    chances = np.array([w[1] for w in windows])
    mean = (chances * lengths[:, None]).sum(axis=0) / lengths.sum()
    probability = np.append(1.0 - moving, moving * mean)
    hypotheses = []
    for m, name in enumerate(MODELS):
        if name == "static":
            path = still_path(tracks, focal)
        else:
            path = join([w[0][name] for w in windows], tracks)
        hypotheses.append(Hypothesis(name, float(probability[m]), path))
    hypotheses.sort(key=lambda h: -h.probability)
    diagnostics = {
        "still_share": [round(float(v), 3) for v in np.percentile(stillness, [0, 25, 50])],
        "frames": len(tracks.times),
        "tracks": int(tracks.track.max() + 1),
        "texture": round(float(tracks.texture.mean()), 3),
        "brightness": round(float(tracks.brightness.mean()), 1),
        "explained": {
            name: round(float(np.mean([w[2][name] for w in windows])), 3) for name in MODELS
        },
    }
    return tuple(hypotheses), diagnostics


def neighbours(tracks: Tracks) -> tuple[IntArray, IntArray]:
    """Pairs of observations of one track in neighbouring frames."""
    order = np.lexsort((tracks.frame, tracks.track))
    same = tracks.track[order][1:] == tracks.track[order][:-1]
    return order[:-1][same], order[1:][same]


# How far a point may be from where it was a second ago and still count as still, pixels of a
# 480 px picture.
STILL_PIXELS = 0.6
# Share of still cells at which a still camera is an even bet, and how sharp that is. A picture
# that is nearly all subject leaves a tenth; a moving camera leaves next to nothing.
STILL_SHARE, STILL_SHARPNESS = 0.09, 0.02


def still_share(tracks: Tracks) -> FloatArray:
    """Share of the textured cells that do not move over about a second, now and then.

    A camera that moves leaves no cell where it was, whatever the scene does; one that stands
    still leaves the cells between the moving subjects. A cell counts as still when its corners
    say so, or its shading where it has none.

    Returns:
        (C,) values 0 to 1.
    """
    cells = tracks.still.shape[1]
    columns, rows = STILL_GRID
    cell_xy = np.floor((tracks.xy / np.array(tracks.size) + 0.5) * np.array(STILL_GRID))
    cell_xy = np.clip(cell_xy.astype(np.intp), 0, np.array(STILL_GRID) - 1)
    cell = cell_xy[:, 1] * columns + cell_xy[:, 0]
    limit = STILL_PIXELS * max(tracks.size) / 480
    starts = np.searchsorted(tracks.frame, np.arange(len(tracks.times) + 1))
    shares = []
    for (before, after), shaded, textured in zip(
        tracks.still_frames, tracks.still, tracks.textured, strict=True
    ):
        a = slice(starts[before], starts[before + 1])
        b = slice(starts[after], starts[after + 1])
        _, ia, ib = np.intersect1d(tracks.track[a], tracks.track[b], return_indices=True)
        moved = np.linalg.norm(tracks.xy[a][ia] - tracks.xy[b][ib], axis=1)
        followed = np.bincount(cell[a][ia], minlength=cells)
        standing = np.bincount(cell[a][ia], moved < limit, minlength=cells)
        cornered = np.bincount(cell[a], minlength=cells) > 0
        still = np.where(followed > 0, standing > 0.5 * followed, shaded)
        told = cornered | textured
        shares.append((still & told).sum() / max(told.sum(), 1))
    return np.array(shares)


def still_probability(stillness: FloatArray) -> float:
    """Whether the camera stood still throughout."""
    if not len(stillness):
        return 0.0
    level = float(np.percentile(stillness, 25))
    return float(1.0 / (1.0 + np.exp(-(level - STILL_SHARE) / STILL_SHARPNESS)))


def split_windows(times: FloatArray, seconds: float) -> list[tuple[int, int]]:
    """First and last frame of equal windows of at most about ``seconds``; ends are shared."""
    span = times[-1] - times[0]
    parts = max(1, round(span / seconds))
    edges = np.searchsorted(times, times[0] + span * np.arange(1, parts) / parts)
    edges = np.unique(np.concatenate([[0], edges, [len(times) - 1]]))
    return [(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def explain_window(tracks, chain, focal, first, last, settings):
    chosen = keyframes(chain, first, last, settings.keyframes, focal)
    seen = observations(tracks, chosen, settings.tracks)
    turns, zooms = accumulate(chain[first:last])
    turns, zooms = turns[chosen - first], zooms[chosen - first]
    unit = max(tracks.size) / 480
    noise = 0.5 * unit
    final = np.full(4, 1.5) * unit
    coarse = np.concatenate([np.geomspace(30.0, 2.0, 5) * unit, final[:2]])
    fine = np.concatenate([np.geomspace(30.0, 2.0, 9) * unit, final])
    still = standing_still(seen, focal, float(final[-1]))
    out = {"static": still}
    turned = replace(still, rotations=turns)
    zoomed = replace(turned, zooms=zooms)
    common = {"focal_prior": focal, "noise": noise}
    out["rotation"] = adjust(seen, turned, translate=False, zoom=False, scales=coarse, **common)
    out["rotation+zoom"] = adjust(seen, zoomed, translate=False, zoom=True, scales=coarse, **common)
    sane = lambda s: replace(s, focal=float(np.clip(s.focal, 0.7 * focal, 2.0 * focal)))
    # Small motion has several near-explanations: a pan is nearly a truck, a zoom nearly a dolly.
    # Start from each reading of the same pictures and keep the best.
    paths = [
        adjust(seen, s, translate=True, zoom=False, scales=fine, **common)
        for s in (
            sane(out["rotation"]),
            as_travel(sane(out["rotation+zoom"]), turns=False),
            as_travel(sane(out["rotation+zoom"]), turns=True),
        )
    ]
    out["rotation+translation"] = min(paths, key=lambda s: s.energy)
    starts = [out["rotation+translation"], sane(out["rotation+zoom"])]
    paths = [adjust(seen, s, translate=True, zoom=True, scales=fine[4:], **common) for s in starts]
    out["all"] = min(paths, key=lambda s: s.energy)
    finest = min(float(np.median(out[m].residual)) for m in MODELS[1:])
    scale = float(np.clip(SCALE_FACTOR * finest, SCALE_LEAST * unit, 3.0 * unit))
    weight = seen.weight[seen.track]
    explained = {m: explained_share(out[m].residual, weight, scale) for m in MODELS}
    best = max(explained[name] for name in MODELS[1:])
    score = np.array([(explained[m] / max(best, 1e-6) - PRICE[m]) / SHARPNESS for m in MODELS[1:]])
    chances = np.exp(score - score.max())
    chances /= chances.sum()
    paths = {m: full_rate(out[m], chosen, first, last, chain, tracks, focal) for m in MODELS[1:]}
    return paths, chances, explained


def as_travel(solution: Solution, *, turns: bool) -> Solution:
    """The path that moves the picture alike by travelling: zooms (and pans, tilts) as moves."""
    steps = np.zeros((len(solution.zooms), 3))
    steps[1:, 2] = np.diff(solution.zooms)
    rotations = solution.rotations
    if turns:
        turned = log(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:])
        steps[1:, 0], steps[1:, 1] = turned[:, 1], -turned[:, 0]
        rolls = np.zeros((len(steps), 3))
        rolls[1:, 2] = np.cumsum(turned[:, 2])
        rotations = exp(rolls)
    centers = np.cumsum(np.einsum("nij,nj->ni", rotations, steps), axis=0)
    return replace(
        solution, rotations=rotations, centers=centers, zooms=np.zeros(len(steps))
    )


def keyframes(chain, first, last, count, focal):
    """Frames of a window, denser where the picture moves faster."""
    inside = chain[first:last]
    flow = np.linalg.norm(inside[:, :2], axis=1) + 0.3 * np.abs(inside[:, 2:]).sum(axis=1)
    steps = 1.0 / max(len(inside), 1) + flow / max(flow.sum(), 1e-3)
    position = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, position[-1], min(count, len(position)))
    return first + np.unique(np.abs(position[None] - wanted[:, None]).argmin(axis=1))


def observations(tracks: Tracks, chosen: IntArray, limit: int) -> Observations:
    """Tracks seen in at least two keyframes; the longest, spread evenly over time."""
    number = np.full(len(tracks.times), -1)
    number[chosen] = np.arange(len(chosen))
    inside = number[tracks.frame] >= 0
    frame, track, xy = number[tracks.frame[inside]], tracks.track[inside], tracks.xy[inside]
    length = np.bincount(track)
    good = np.flatnonzero(length >= 2)
    if len(good) > limit:
        middle = np.bincount(track, frame, minlength=len(length))[good] / length[good]
        parts = 6
        slot = np.minimum((middle / len(chosen) * parts).astype(int), parts - 1)
        share = -(-limit // len(np.unique(slot)))
        picked = []
        for part in np.unique(slot):
            members = good[slot == part]
            picked.append(members[np.argsort(-length[members], kind="stable")[:share]])
        good = np.concatenate(picked)
    renumber = np.full(len(length), -1)
    renumber[good] = np.arange(len(good))
    keep = renumber[track] >= 0
    frame, track, xy = frame[keep], renumber[track[keep]], xy[keep]
    order = np.lexsort((frame, track))
    frame, track, xy = frame[order], track[order], xy[order]
    count = np.bincount(track, minlength=len(good))
    anchor = np.concatenate([[0], np.cumsum(count)[:-1]]) + count // 2
    rest = np.ones(len(frame), dtype=bool)
    rest[anchor] = False
    return Observations(
        frame[rest],
        track[rest],
        xy[rest],
        frame[anchor],
        xy[anchor],
        1.0 + GROUND * xy[anchor, 1] / (0.5 * tracks.size[1]),
        np.ones(len(good)),
        len(chosen),
    )


def accumulate(chain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, 3, 3) world_from_camera and (N,) log zoom of a chain of (N - 1, 4) turns and zooms."""
    rotations = [np.eye(3)]
    for turn in exp(chain[:, :3]):
        rotations.append(rotations[-1] @ turn)
    return np.stack(rotations), np.concatenate([[0.0], np.cumsum(chain[:, 3])])


def full_rate(solution, chosen, first, last, chain, tracks, focal):
    """Rotations, centers, log focals and sigmas at every frame of the window."""
    frames = np.arange(first, last + 1)
    rotations = np.empty((len(frames), 3, 3))
    moved = np.any(np.abs(solution.zooms) > 0)
    log_focal = np.interp(frames, chosen, np.log(solution.focal) + solution.zooms)
    if moved:
        own = np.concatenate([[0.0], np.cumsum(chain[first:last, 3])])
        log_focal += own - np.interp(frames, chosen, own[chosen - first])
    centers = np.stack(
        [np.interp(frames, chosen, solution.centers[:, a]) for a in range(3)], axis=1
    )
    sigmas = np.stack([np.interp(frames, chosen, solution.sigmas[:, a]) for a in range(7)], axis=1)
    gain = focal / np.exp(log_focal)
    for k, (a, b) in enumerate(zip(chosen[:-1], chosen[1:], strict=True)):
        part = chain[a:b].copy()
        part[:, :2] *= gain[a - first]
        local, _ = accumulate(part)
        miss = log(local[-1].T @ solution.rotations[k].T @ solution.rotations[k + 1])
        share = np.linspace(0.0, 1.0, b - a + 1)[:, None]
        rotations[a - first : b - first + 1] = solution.rotations[k] @ local @ exp(share * miss)
    return rotations, centers, log_focal, sigmas


def join(parts, tracks: Tracks) -> Trajectory:
    """Chain windows, each starting where the one before ended; every window's depth is 1."""
    rotations, centers, log_focal, sigmas = parts[0]
    for r, c, f, s in parts[1:]:
        turn = rotations[-1] @ r[0].T
        rotations = np.concatenate([rotations, (turn @ r)[1:]])
        centers = np.concatenate([centers, ((c - c[0]) @ turn.T + centers[-1])[1:]])
        log_focal = np.concatenate([log_focal, (f - f[0] + log_focal[-1])[1:]])
        sigmas = np.concatenate([sigmas, np.sqrt(s**2 + sigmas[-1] ** 2)[1:]])
    return Trajectory(
        times=tracks.times,
        rotations=rotations,
        centers=centers,
        focals=np.exp(log_focal),
        size=tracks.size,
        valid=np.ones(len(tracks.times), dtype=bool),
        sigmas=sigmas,
        scene_depth=1.0,
    )


def still_path(tracks: Tracks, focal: float) -> Trajectory:
    """A camera that does not move."""
    n = len(tracks.times)
    return Trajectory(
        times=tracks.times,
        rotations=np.repeat(np.eye(3)[None], n, axis=0),
        centers=np.zeros((n, 3)),
        focals=np.full(n, focal),
        size=tracks.size,
        valid=np.ones(n, dtype=bool),
        sigmas=np.zeros((n, 7)),
        scene_depth=1.0,
    )
