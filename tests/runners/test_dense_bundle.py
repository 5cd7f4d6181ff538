"""The adjustment of dense flow: exact on exact flow, the same in a batch, on any device."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dollygrip.geometry.bundle import DEPTH_SPREAD, Solution  # noqa: E402
from dollygrip.geometry.ladder import TRANSLATION  # noqa: E402
from dollygrip.geometry.rotations import exp, log  # noqa: E402
from dollygrip.runners.estimators.dense_bundle import (  # noqa: E402
    adjust,
    inspect,
    stack,
)
from dollygrip.runners.estimators.dense_depth import Expected  # noqa: E402
from dollygrip.runners.estimators.dense_flow import OFFSETS, FlowGraph  # noqa: E402
from dollygrip.runners.estimators.dense_ladder import Stretch, climb  # noqa: E402

FOCAL = 300.0
SCALES = np.append(np.geomspace(60.0, 4.0, 10), [3.0] * 8)


class Scene:
    """Exact flow of a rough scene under an exact path."""

    def __init__(
        self,
        *,
        frames: int = 6,
        grid: tuple[int, int] = (6, 10),
        turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
        travel: tuple[float, float, float] = (0.0, 0.0, 0.0),
        zoom: float = 0.0,
        seed: int = 0,
        focal: float = FOCAL,
        noise: float = 0.0,
        lens: float = 0.0,
        inverse_depth: np.ndarray | None = None,
    ) -> None:
        rng = np.random.default_rng(seed)
        rows, columns = grid
        self.size = (8 * columns, 8 * rows)
        share = np.linspace(0.0, 1.0, frames)
        self.rotations = exp(share[:, None] * np.array(turn))
        self.centers = share[:, None] * np.array(travel)
        self.zooms = share * zoom
        focals = focal * np.exp(self.zooms)
        x = (np.arange(columns) + 0.5) * 8 - 4 * columns
        y = (np.arange(rows) + 0.5) * 8 - 4 * rows
        middle = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        xy = middle + rng.uniform(-3, 3, (frames, len(middle), 2))
        rough = rng.uniform(0.4, 1.6, xy.shape[:2])
        self.inverse_depth = rough if inverse_depth is None else inverse_depth
        seen = np.zeros((len(OFFSETS), *xy.shape))
        confidence = np.zeros(seen.shape[:3])
        for o, offset in enumerate(OFFSETS):
            for i in range(max(0, -offset), frames - max(0, offset)):
                j = i + offset
                straight = xy[i] / (1.0 + lens * (xy[i] ** 2).sum(axis=1, keepdims=True) / focal**2)
                ray = np.column_stack([straight / focals[i], np.ones(len(middle))])
                point = ray / self.inverse_depth[i][:, None]
                world = point @ self.rotations[i].T + self.centers[i]
                there = (world - self.centers[j]) @ self.rotations[j]
                at = straight = focals[j] * there[:, :2] / there[:, 2:]
                for _ in range(20):
                    far = (at**2).sum(axis=1, keepdims=True) / focal**2
                    at = straight * (1.0 + lens * far)
                seen[o, i] = at
                confidence[o, i] = 1.0
        seen += rng.normal(0.0, noise, seen.shape)
        self.graph = FlowGraph(self.size, grid, xy, seen, confidence)

    @property
    def plain(self) -> Expected:
        shape = self.inverse_depth.shape
        return Expected(np.ones(shape), np.full(shape, DEPTH_SPREAD**-2))

    def start(self) -> Solution:
        n = len(self.zooms)
        return Solution(
            rotations=np.repeat(np.eye(3)[None], n, axis=0),
            centers=np.zeros((n, 3)),
            zooms=np.zeros(n),
            focal=FOCAL,
            inverse_depth=np.ones(self.inverse_depth.size),
            residual=np.zeros(0),
            energy=np.inf,
            sigmas=np.zeros((n, 7)),
        )


def stacked(*scenes: Scene):
    return stack(
        [scene.graph for scene in scenes],
        [scene.plain for scene in scenes],
        [FOCAL] * len(scenes),
        [0.5] * len(scenes),
        "cpu",
    )


def solved(*scenes: Scene, translate: bool, zoom: bool) -> list[Solution]:
    starts = [scene.start() for scene in scenes]
    return adjust(stacked(*scenes), starts, translate=translate, zoom=zoom, scales=SCALES)


TURN, TRAVEL = (0.03, 0.06, 0.02), (0.25, 0.0, 0.0)


def test_a_turn_from_a_standing_start():
    (found,) = solved(Scene(turn=TURN), translate=False, zoom=False)
    np.testing.assert_allclose(log(found.rotations[-1]), TURN, atol=1e-3)
    assert np.abs(found.residual).max() < 0.05


def test_a_zoom_from_a_standing_start():
    (found,) = solved(Scene(turn=TURN, zoom=0.3), translate=False, zoom=True)
    assert found.zooms[-1] == pytest.approx(0.3, abs=0.005)
    np.testing.assert_allclose(log(found.rotations[-1]), TURN, atol=2e-3)


def test_a_turn_through_a_bent_lens():
    scene = Scene(grid=(16, 24), turn=(0.0, 0.2, 0.0), lens=-0.8)
    problem, start = stacked(scene), [scene.start()]
    (straight,) = adjust(problem, start, translate=False, zoom=False, scales=SCALES)
    (bent,) = adjust(problem, start, translate=False, zoom=False, scales=SCALES, bend=True)
    assert straight.lens == 0.0
    assert bent.lens == pytest.approx(-0.8, abs=0.05)
    assert log(bent.rotations[-1])[1] == pytest.approx(0.2, abs=0.015)
    assert bent.residual.mean() < 0.2 * straight.residual.mean()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_travel_from_a_standing_start(axis, sign):
    travel = np.zeros(3)
    travel[axis] = 0.25 * sign
    scene = Scene(grid=(12, 20), travel=tuple(travel))
    (found,) = solved(scene, translate=True, zoom=False)
    end = found.centers[-1]
    assert end @ travel / np.linalg.norm(travel) > 0.97 * np.linalg.norm(end)
    assert np.corrcoef(found.inverse_depth, scene.inverse_depth.ravel())[0, 1] > 0.99


def test_a_batch_is_the_same_as_one_by_one():
    """Shots of other lengths and sizes beside it change nothing about a shot."""
    scenes = [
        Scene(travel=TRAVEL, seed=1),
        Scene(frames=3, turn=TURN, seed=2),
        Scene(frames=11, grid=(9, 5), travel=(0.0, 0.1, 0.2), zoom=0.1, seed=3),
    ]
    together = solved(*scenes, translate=True, zoom=True)
    for scene, one in zip(scenes, together, strict=True):
        (alone,) = solved(scene, translate=True, zoom=True)
        for name in ("rotations", "centers", "zooms", "inverse_depth", "sigmas"):
            np.testing.assert_allclose(getattr(one, name), getattr(alone, name), atol=1e-6)
        assert one.focal == pytest.approx(alone.focal)
        assert one.energy == pytest.approx(alone.energy)


def test_what_moves_by_itself_is_left_aside_in_every_pair():
    scene = Scene(grid=(12, 20), travel=TRAVEL)
    cells = np.arange(12 * 20).reshape(12, 20)[4:8, 6:12].ravel()
    steps = 4.0 * np.array(OFFSETS)[:, None, None]
    # The subject strides away, and pauses: some pairs alone would not tell.
    pause = np.abs(np.array(OFFSETS))[:, None, None] > 1
    scene.graph.seen[:, :, cells, 1] += steps * pause * (scene.graph.confidence > 0)[:, :, cells]
    (found,) = solved(scene, translate=True, zoom=False)
    assert found.centers[-1, 0] > 0.95 * np.linalg.norm(found.centers[-1])
    (sight,) = inspect(stacked(scene), [found], 3.0)
    rest = np.setdiff1d(np.arange(12 * 20), cells)
    aside, along = np.median(sight.explained[:, cells]), np.median(sight.explained[:, rest])
    assert aside < 0.6 < 0.9 < along


def test_sigmas_say_what_is_not_known():
    """Travel along the view tells less of itself than travel across, a narrow view less of both."""
    (across,) = solved(Scene(grid=(12, 20), travel=TRAVEL), translate=True, zoom=False)
    (blurred,) = solved(
        weaker(Scene(grid=(12, 20), travel=TRAVEL), 0.1), translate=True, zoom=False
    )
    assert (across.sigmas[0] == 0.0).all()
    assert (across.sigmas[-1, :6] > 0.0).all()
    assert (blurred.sigmas[-1, :6] > across.sigmas[-1, :6]).all()


def weaker(scene: Scene, share: float) -> Scene:
    scene.graph = replace(scene.graph, confidence=share * scene.graph.confidence)
    return scene


def test_a_frame_that_is_not_seen_stays_with_its_neighbour():
    scene = Scene(frames=6, turn=TURN)
    blind = scene.graph.confidence.copy()
    for o, offset in enumerate(OFFSETS):
        blind[o, 5] = 0.0
        if 0 <= 5 - offset < 6:
            blind[o, 5 - offset] = 0.0
    scene.graph = replace(scene.graph, confidence=blind)
    (found,) = solved(scene, translate=False, zoom=False)
    np.testing.assert_array_equal(found.rotations[5], found.rotations[4])
    assert log(found.rotations[4])[1] == pytest.approx(0.8 * TURN[1], abs=2e-3)


def test_nothing_seen_stays_where_it_is():
    scene = Scene()
    scene.graph = replace(scene.graph, confidence=np.zeros_like(scene.graph.confidence))
    (found,) = solved(scene, translate=True, zoom=True)
    np.testing.assert_allclose(found.rotations, np.tile(np.eye(3), (6, 1, 1)))
    np.testing.assert_allclose(found.centers, 0.0)


def test_no_tensor_is_made_on_another_device():
    """Any tensor made without naming its device would be a "meta" one here, and not mix."""
    scene = Scene(travel=TRAVEL)
    (plain,) = solved(scene, translate=True, zoom=True)
    with torch.device("meta"):
        (found,) = solved(scene, translate=True, zoom=True)
        inspect(stacked(scene), [found], 3.0)
    np.testing.assert_array_equal(found.centers, plain.centers)


def test_a_depth_model_decides_what_flow_leaves_open():
    """Through a long lens a scene looks like itself inside out, passed the other way."""
    focal, travel = 3000.0, 0.003
    outside = Scene(grid=(12, 20), travel=(travel, 0, 0), focal=focal, noise=0.2)
    inside = Scene(
        grid=(12, 20),
        travel=(-travel, 0, 0),
        turn=(0, 2 * travel, 0),
        focal=focal,
        noise=0.2,
        inverse_depth=2.0 - outside.inverse_depth,
    )
    np.testing.assert_allclose(outside.graph.seen, inside.graph.seen, atol=0.5)
    guessed = []
    for scene, sign in ((outside, 1.0), (inside, -1.0)):
        said = Expected(scene.inverse_depth, np.full(scene.inverse_depth.shape, 7.0))
        plain = Stretch(
            graph=scene.graph,
            plain=scene.plain,
            model=None,
            rotations=np.repeat(np.eye(3)[None], 6, axis=0),
            zooms=np.zeros(6),
            focal=focal,
        )
        alone, told = climb([plain, replace(plain, model=said)], "cpu")
        guessed.append(np.sign(alone.solutions[TRANSLATION].centers[-1, 0]))
        assert sign * told.solutions[TRANSLATION].centers[-1, 0] > 0.5 * travel
    # Without one, both look like the same scene.
    assert guessed[0] == guessed[1]
