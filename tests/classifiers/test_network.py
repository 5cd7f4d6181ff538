"""Networks and their weights file."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from dollygrip.classifiers.network import SQUASH, Network, from_bytes, to_bytes

WIDTH = 4
RECIPE = {"features": ["a", "b", "c", "d"], "seed": 0, "scores": {"ap": 0.5}}


def _network(seed: int = 0, members: int = 3, hidden: tuple[int, ...] = (5, 2)) -> Network:
    rng = np.random.default_rng(seed)
    sizes = (WIDTH, *hidden, 1)
    return Network(
        mean=rng.normal(size=WIDTH),
        scale=rng.uniform(0.5, 2.0, WIDTH),
        shift=rng.normal(size=WIDTH),
        weights=tuple(rng.normal(size=(members, a, b)) for a, b in itertools.pairwise(sizes)),
        biases=tuple(rng.normal(size=(members, b)) for b in sizes[1:]),
    )


def _rows(n: int = 7, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(n, WIDTH))


def _by_hand(network: Network, row: Any) -> float:
    inputs = [
        SQUASH * np.tanh((row[k] - network.mean[k]) / network.scale[k] / SQUASH)
        for k in range(WIDTH)
    ]
    answers = []
    for member in range(len(network.weights[0])):
        values = inputs
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            sums = [
                float(bias[member, j])
                + sum(float(weight[member, i, j]) * value for i, value in enumerate(values))
                for j in range(weight.shape[2])
            ]
            last = layer == len(network.weights) - 1
            values = sums if last else [max(total, 0.0) for total in sums]
        answers.append(values[0])
    shifted = sum(float(s) * value for s, value in zip(network.shift, inputs, strict=True))
    return sum(answers) / len(answers) + shifted


@pytest.mark.parametrize("hidden", [(), (3,), (5, 2)])
def test_logits_are_the_mean_of_the_members(hidden: tuple[int, ...]) -> None:
    network, rows = _network(hidden=hidden), _rows()
    expected = [_by_hand(network, row) for row in rows]
    np.testing.assert_allclose(network.logits(rows), expected, atol=1e-12)


def test_a_row_is_answered_alike_alone_and_among_others() -> None:
    network, rows = _network(), _rows()
    alone = np.concatenate([network.logits(row[None]) for row in rows])
    np.testing.assert_allclose(network.logits(rows), alone, atol=1e-12)
    assert network.logits(np.zeros((0, WIDTH))).shape == (0,)


@given(
    st.lists(
        st.floats(-1e300, 1e300) | st.just(float("inf")) | st.just(-float("inf")),
        min_size=WIDTH,
        max_size=WIDTH,
    )
)
def test_any_row_gets_a_probability(row: list[float]) -> None:
    (chance,) = _network().probabilities([row])
    assert 0.0 <= chance <= 1.0


def test_rows_far_away_are_answered_like_the_farthest() -> None:
    network = _network()
    far = network.mean + 30 * SQUASH * network.scale
    beyond = network.mean + 1e9 * network.scale
    np.testing.assert_allclose(network.logits([far]), network.logits([beyond]), atol=1e-6)


@pytest.mark.parametrize("rows", [np.zeros(WIDTH), np.zeros((2, WIDTH + 1))])
def test_rows_of_another_shape_are_refused(rows: Any) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, 4\)"):
        _network().logits(rows)


def test_rows_without_a_number_are_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        _network().logits(np.full((1, WIDTH), np.nan))


def test_recalibrated_logits_are_as_said() -> None:
    network, rows = _network(), _rows()
    shift = np.array([0.0, 2.0, 0.0, -1.0])
    expected = 0.5 * network.logits(rows) - 0.3 + network.standardised(rows) @ shift
    found = network.recalibrated(0.5, -0.3, shift).logits(rows)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": np.zeros(WIDTH)}, "above 0"),
        ({"mean": np.full(WIDTH, np.inf)}, "mean has a number"),
        ({"shift": np.zeros(WIDTH + 1)}, "shift has shape"),
        ({"weights": ()}, "expected 1 to 4"),
        ({"weights": (np.ones((3, WIDTH, 2)),), "biases": (np.ones((3, 2)),)}, "2 outputs"),
        ({"weights": (np.ones((0, WIDTH, 1)),), "biases": (np.ones((0, 1)),)}, "0 members"),
        ({"weights": (np.ones((1, WIDTH, 1)),), "biases": (np.ones((2, 1)),)}, "bias 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_networks_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    network = _network()
    parts = {name: getattr(network, name) for name in Network.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        Network(**{**parts, **change})


def test_a_file_gives_back_what_was_written() -> None:
    networks = {"labels": _network(0), "trust": _network(1, members=1, hidden=())}
    data = to_bytes(networks, RECIPE)
    assert data == to_bytes(dict(reversed(networks.items())), dict(reversed(RECIPE.items())))
    found, recipe = from_bytes(data, "w.safetensors")
    assert recipe == RECIPE
    assert sorted(found) == ["labels", "trust"]
    for name, network in networks.items():
        np.testing.assert_array_equal(found[name].logits(_rows()), network.logits(_rows()))
    assert to_bytes(found, recipe) == data


def _file(described: Any, **tensors: Any) -> bytes:
    return bytes(save(tensors, {"dollygrip": json.dumps(described)}))


HEAD = {"format": "dollygrip networks 1", "networks": [], "recipe": {}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no networks"),
        (b"not a weights file at all", "holds no networks"),
        (b"\xff" * 64, "holds no networks"),
        (bytes(9_000_000), "larger than"),
        (bytes(save({"a": np.ones(1, np.float32)})), "does not say"),
        (_file({**HEAD, "format": "other"}, a=np.ones(1, np.float32)), "does not say"),
        (_file({**HEAD, "recipe": None}, a=np.ones(1, np.float32)), "no recipe"),
        (_file({**HEAD, "networks": 3}, a=np.ones(1, np.float32)), "list its networks"),
        (_file({**HEAD, "networks": ["n"]}, a=np.ones(1, np.float32)), "lacks 'n.mean'"),
        (_file(HEAD, a=np.ones(1, np.float32)), "nothing is known of 'a'"),
        (_file(HEAD, a=np.ones(1, np.float64)), "a is F64"),
        (
            bytes(save({"a": np.ones(1, np.float32)}, {"dollygrip": "[" * 100_000})),
            "holds no networks",
        ),
    ],
    ids=range(12),
)
def test_other_files_are_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        from_bytes(data, "w.safetensors")
    assert str(refused.value).startswith("w.safetensors holds no networks: ")
    assert "\n" not in str(refused.value)


@given(st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(to_bytes({"labels": _network(hidden=(2,))}, RECIPE))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    try:
        networks, recipe = from_bytes(bytes(whole[:cut]), "w")
    except ValueError:
        return
    assert isinstance(recipe, dict)
    for network in networks.values():
        assert np.isfinite(network.logits(np.zeros((1, network.width)))).all()


def test_a_recipe_has_numbers_only() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_bytes({}, {"loss": float("nan")})
