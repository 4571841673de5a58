"""The reference against hand computation, and the generator and rewriters against the reference."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import random_instances as instances
import reference
import rewriters
from random_instances import DOMAINS, LOSSES, REDUCTIONS, random_instance, random_parameters

F = Fraction


def document_of(
    network: dict[str, Any],
    x: list[list[Any]],
    y: list[list[Any]],
    *,
    weights: dict[str, Any] | None = None,
    sample_weights: list[Any] | None = None,
    **loss: Any,
) -> dict[str, Any]:
    data: dict[str, Any] = {"x": x, "y": y}
    if sample_weights is not None:
        data["sample_weights"] = sample_weights
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": network,
        "weights": weights or {"domain": "integer", "low": -1, "high": 1},
        "data": data,
        "loss": {"name": "absolute"} | loss,
        "threshold": 0,
    }


def unit(activation: Any, weights: list[Any], bias: Any = 0) -> dict[str, Any]:
    """A network of one frozen neuron."""
    layer = {"units": 1, "activation": activation, "weights": [weights], "biases": [bias]}
    return {"inputs": len(weights), "layers": [layer]}


def constants(*values: Any) -> dict[str, Any]:
    """A network whose outputs are the given constants plus 0·x0."""
    layer = {
        "units": len(values),
        "activation": "identity",
        "weights": [[0] for _ in values],
        "biases": list(values),
    }
    return {"inputs": 1, "layers": [layer]}


def xor(hidden: int, reach: int) -> dict[str, Any]:
    layers = [{"units": hidden, "activation": "relu"}, {"units": 1, "activation": "identity"}]
    return document_of(
        {"inputs": 2, "layers": layers},
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        [[0], [1], [1], [0]],
        weights={"domain": "integer", "low": -reach, "high": reach},
    )


# --- numbers and domains -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written, value",
    [(7, F(7)), ("-7", F(-7)), ("3/4", F(3, 4)), ("0.125", F(1, 8)), ("1e-3", F(1, 1000)),
     (0.1, F(1, 10)), (Decimal("0.1"), F(1, 10)), (F(2, 3), F(2, 3))],
)  # fmt: skip
def test_numbers_are_exact(written: Any, value: Fraction) -> None:
    assert reference.number(written) == value


def test_files_keep_decimals_exact(tmp_path: Any) -> None:
    path = tmp_path / "a.erm.json"
    path.write_text('{"threshold": 0.10000000000000000000000001}')
    assert reference.number(reference.read(path)["threshold"]) == F(1, 10) + F(1, 10**26)


@pytest.mark.parametrize(
    "domain, members",
    [
        ({"domain": "integer", "low": -1, "high": 2}, ["-1", "0", "1", "2"]),
        ({"domain": "integer", "low": -1, "high": 2, "denominator": 2}, ["-1/2", "0", "1/2", "1"]),
        ({"domain": "fixed_point", "bits": 2, "fraction_bits": 1}, ["-1", "-1/2", "0", "1/2"]),
        ({"domain": "fixed_point", "bits": 2, "fraction_bits": 0, "signed": False}, "0123"),
        ({"domain": "finite", "values": [3, "1/2", -1, "0.5"]}, ["-1", "1/2", "3"]),
        ({"domain": "rational", "bits": 1}, ["-1", "0", "1"]),
    ],
)
def test_domain_members(domain: dict[str, Any], members: list[str]) -> None:
    assert reference.values(domain) == [F(m) for m in members]


@pytest.mark.parametrize(
    "name, count, largest, smallest_positive",
    [
        ("fp8_e4m3", 253, F(448), F(1, 2**9)),
        ("fp8_e5m2", 247, F(57344), F(1, 2**16)),
        ("float16", 2 * 31 * 2**10 - 1, F(65504), F(1, 2**24)),
        ("bfloat16", 2 * 255 * 2**7 - 1, (2 - F(1, 2**7)) * F(2) ** 127, F(1, 2**133)),
    ],
)
def test_float_formats(
    name: str, count: int, largest: Fraction, smallest_positive: Fraction
) -> None:
    members = reference.values({"domain": "float", "format": name})
    assert len(members) == count
    assert max(members) == largest
    assert min(members) == -largest
    assert min(v for v in members if v > 0) == smallest_positive
    assert 0 in members
    assert 1 in members


def test_rationals_of_two_bits() -> None:
    members = reference.values({"domain": "rational", "bits": 2})
    positive = [F(v) for v in ("1/3", "1/2", "2/3", "1", "3/2", "2", "3")]
    assert members == [-v for v in reversed(positive)] + [F(0)] + positive
    assert len(members) == 15


@pytest.mark.parametrize("domain", [{"domain": "real"}, {"domain": "float", "format": "float32"}])
def test_unlistable_domains_are_refused(domain: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        reference.values(domain)


# --- activations ---------------------------------------------------------------------------------

JUMP = {
    "name": "piecewise_linear",
    "breakpoints": [0, "3/2"],
    "slopes": [1, 0, -2],
    "intercepts": [-1, 5, 0],
}
POLYNOMIAL = {"name": "polynomial", "coefficients": [1, 0, "1/2", -1]}


@pytest.mark.parametrize(
    "activation, pairs",
    [
        ("identity", [(-2, -2), (0, 0), (3, 3)]),
        ("relu", [(-2, 0), (0, 0), (3, 3)]),
        ({"name": "leaky_relu", "slope": "1/10"}, [(-2, "-1/5"), (0, 0), (3, 3)]),
        ("abs", [(-2, 2), (0, 0), (3, 3)]),
        ("step", [(-2, 0), (0, 1), (3, 1)]),
        ("sign", [(-2, -1), (0, 1), (3, 1)]),
        ({"name": "clip", "low": "-1/2", "high": 2}, [(-2, "-1/2"), (0, 0), (2, 2), (3, 2)]),
        (JUMP, [(-2, -3), (0, 5), (1, 5), ("3/2", -3), (2, -4)]),
        ("square", [(-2, 4), ("1/2", "1/4")]),
        (POLYNOMIAL, [(0, 1), (2, -5), (-1, "5/2")]),
        ("max", [(-2, -2), (3, 3)]),
    ],
)
def test_activations(activation: Any, pairs: list[tuple[Any, Any]]) -> None:
    network = unit(activation, [1])
    document = document_of(network, [[t] for t, _ in pairs], [[0] for _ in pairs])
    assert reference.outputs(document, {}) == [[F(v)] for _, v in pairs]


def test_max_adds_its_bias_after_the_maximum() -> None:
    document = document_of(unit("max", [1, 2], -5), [[1, 0], [-3, -1]], [[0], [0]])
    assert reference.outputs(document, {}) == [[F(-4)], [F(-7)]]


# --- losses and reductions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "outputs, y, loss, value",
    [
        ((1, -2), ["1/2", 1], {"name": "absolute"}, "7/2"),
        ((1, -2), ["1/2", 1], {"name": "squared"}, "37/4"),
        (("1/4",), [1], {"name": "hinge"}, "3/4"),
        (("1/4",), [-1], {"name": "hinge"}, "5/4"),
        ((2,), [1], {"name": "hinge"}, 0),
        ((1, "1/2", 0), [0], {"name": "hinge"}, "1/2"),
        ((1, "1/2", 0), [2], {"name": "hinge"}, 2),
        ((1, 1), [0], {"name": "hinge"}, 1),
        ((3, 1), [0], {"name": "hinge"}, 0),
        (("1/9",), [1], {"name": "zero_one"}, 0),
        ((0,), [1], {"name": "zero_one"}, 1),
        ((0,), [-1], {"name": "zero_one"}, 1),
        ((-1,), [-1], {"name": "zero_one"}, 0),
        (("1/2",), [1], {"name": "zero_one", "margin": "1/2"}, 0),
        (("1/3",), [1], {"name": "zero_one", "margin": "1/2"}, 1),
        ((0, 1, "1/2"), [1], {"name": "zero_one"}, 0),
        ((0, 1, 1), [1], {"name": "zero_one"}, 1),
        ((0, 1, "1/2"), [1], {"name": "zero_one", "margin": "1/2"}, 0),
        ((0, 1, "1/2"), [1], {"name": "zero_one", "margin": 1}, 1),
    ],
)
def test_sample_losses(outputs: Any, y: list[Any], loss: dict[str, Any], value: Any) -> None:
    document = document_of(constants(*outputs), [[0]], [y], **loss)
    assert reference.loss(document, {}) == F(value)


@pytest.mark.parametrize(
    "reduction, weights, value",
    [
        ({}, None, 2),
        ({"reduction": "mean"}, None, 2),
        ({"reduction": "sum"}, None, 6),
        ({"reduction": "max"}, None, 3),
        ({"reduction": "mean"}, [1, "1/2", 0], "4/3"),
        ({"reduction": "sum"}, [1, "1/2", 0], 2),
        ({"reduction": "max"}, [1, "1/2", 0], 1),
        ({"reduction": "max"}, [4, 0, "1/3"], 4),
    ],
)
def test_reductions(reduction: dict[str, Any], weights: Any, value: Any) -> None:
    document = document_of(
        unit("identity", [1]), [[1], [2], [3]], [[0], [0], [0]], sample_weights=weights, **reduction
    )
    assert reference.loss(document, {}) == F(value)


# --- networks ------------------------------------------------------------------------------------


def layered() -> dict[str, Any]:
    """Mask, frozen, shared with scale, skip connection, no bias, and all kinds of overrides."""
    hidden = {
        "name": "hidden",
        "units": 2,
        "activation": "relu",
        "mask": [[1, 0], [1, 1]],
        "weights": [[None, None], ["1/2", {"param": "s"}]],
        "biases": [{"param": "s", "scale": "-1/2"}, None],
    }
    out = {"units": 1, "activation": "identity", "bias": False, "from": ["input", "hidden"]}
    weights = {
        "domain": "finite",
        "values": [1, 2],
        "biases": {"domain": "finite", "values": [5]},
        "parameters": {
            "hidden": {"domain": "finite", "values": [7, 8]},
            "s": {"domain": "finite", "values": [-4, 4]},
            "W2[0,3]": {"domain": "finite", "values": [9]},
        },
    }
    network = {"inputs": 2, "layers": [hidden, out]}
    return document_of(network, [[1, 2]], [[0]], weights=weights)


def test_layers_by_hand() -> None:
    document = layered()
    free = reference.free_parameters(document)
    assert list(free) == [
        "W1[0,0]", "s", "b1[1]", "W2[0,0]", "W2[0,1]", "W2[0,2]", "W2[0,3]",
    ]  # fmt: skip
    assert free["W1[0,0]"] == free["b1[1]"] == [7, 8]
    assert free["s"] == [-4, 4]
    assert free["W2[0,0]"] == free["W2[0,2]"] == [1, 2]
    assert free["W2[0,3]"] == [9]
    assert reference.assignment_count(document) == 2**6
    theta = dict(zip(free, map(F, (7, 4, 8, 1, 2, 1, 9)), strict=True))
    # units: relu(7 - 2) = 5 and relu(1/2 + 8 + 8) = 33/2; output 1·1 + 2·2 + 1·5 + 9·33/2
    assert reference.outputs(document, theta) == [[10 + F(297, 2)]]


def test_biases_override_reaches_biases_only() -> None:
    weights = {"domain": "finite", "values": [1], "biases": {"domain": "finite", "values": [2]}}
    layers = [{"units": 1, "activation": "abs"}]
    document = document_of({"inputs": 1, "layers": layers}, [[3]], [[0]], weights=weights)
    assert reference.free_parameters(document) == {"W1[0,0]": [1], "b1[0]": [2]}
    assert reference.achievable(document) == [5]


def test_shared_parameter_needs_one_domain() -> None:
    document = layered()
    del document["weights"]["parameters"]["s"]
    assert reference.free_parameters(document)["s"] == [7, 8]
    del document["weights"]["parameters"]["hidden"]
    with pytest.raises(ValueError, match="s disagree"):
        reference.free_parameters(document)


def test_neurons_by_hand() -> None:
    neurons = [
        {"id": "o", "inputs": {"h": {"param": "w", "scale": -2}, "x1": None}, "activation": "sign"},
        {"id": "h", "inputs": {"x0": None}, "bias": None, "activation": "square"},
        {"id": "c", "inputs": {}, "bias": {"param": "w"}, "activation": "abs"},
    ]
    network = {"inputs": 2, "neurons": neurons, "outputs": ["h", "c", "o"]}
    document = document_of(network, [[1, 2], [-3, 0]], [[0, 0, 0], [0, 0, 0]])
    assert list(reference.free_parameters(document)) == ["w", "W[o,x1]", "W[h,x0]", "b[h]"]
    theta = {"w": F(-1), "W[o,x1]": F(-1), "W[h,x0]": F(1), "b[h]": F(1)}
    assert reference.outputs(document, theta) == [[4, 1, 1], [4, 1, 1]]
    theta["w"] = F(1)  # o: sign(-2·4 - 2) and sign(-2·4)
    assert reference.outputs(document, theta) == [[4, 1, -1], [4, 1, -1]]
    assert reference.loss(document, theta) == 6


# --- minima --------------------------------------------------------------------------------------


def test_xor_with_two_hidden_units() -> None:
    """|x0 - x1| is relu(x0 - x1) + relu(x1 - x0), and needs nothing beyond -1, 0, 1."""
    document = xor(hidden=2, reach=1)
    assert reference.assignment_count(document) == 3**9
    theta = dict.fromkeys(reference.free_parameters(document), F(0))
    theta |= {"W1[0,0]": F(1), "W1[0,1]": F(-1), "W1[1,0]": F(-1), "W1[1,1]": F(1)}
    theta |= {"W2[0,0]": F(1), "W2[0,1]": F(1)}
    assert reference.loss(document, theta) == 0
    document["network"]["layers"][0]["bias"] = document["network"]["layers"][1]["bias"] = False
    assert reference.assignment_count(document) == 3**6
    assert reference.is_satisfiable(document)


def test_xor_with_one_hidden_unit() -> None:
    """One ridge misses at least one of the four points by 1: the mean is 1/4."""
    least, theta = reference.minimum(xor(hidden=1, reach=1))
    assert least == F(1, 4)
    assert reference.loss(xor(hidden=1, reach=1), theta) == least
    assert not reference.is_satisfiable(xor(hidden=1, reach=1))


def test_all_losses_of_a_line() -> None:
    layers = [{"units": 1, "activation": "identity", "bias": False}]
    document = document_of({"inputs": 1, "layers": layers}, [[1], [2]], [[1], [0]])
    # w = -1, 0, 1: residuals (2, 2), (1, 0), (0, 2)
    assert reference.achievable(document) == [F(1, 2), 1, 2]
    assert reference.minimum(document) == (F(1, 2), {"W1[0,0]": F(0)})
    assert not reference.is_satisfiable(document)
    assert reference.is_satisfiable(rewriters.with_threshold(document, F(1, 2)))


def test_no_free_parameter() -> None:
    document = document_of(unit("relu", [2], 1), [[1]], [[5]])
    assert reference.free_parameters(document) == {}
    assert reference.minimum(document) == (F(2), {})
    assert reference.achievable(document) == [2]


# --- the generator -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, Any]]:
    return [random_instance(random.Random(seed)) for seed in range(300)]


def test_every_category_is_drawn(drawn: list[dict[str, Any]]) -> None:
    found = set().union(*map(instances.features, drawn))
    expected = {f"activation:{a}" for a in instances.ACTIVATIONS}
    expected |= {f"domain:{d}" for d in DOMAINS}
    expected |= {f"loss:{name}" for name in LOSSES}
    expected |= {f"reduction:{r}" for r in REDUCTIONS}
    expected |= {f"spelling:{s}" for s in instances.SPELLINGS}
    flags = (
        "free, no free parameter, margin, one output, several outputs, frozen, named, shared, "
        "scale, mask, skip, no bias, constant neuron, biases override, layer override, "
        "parameter override, sample weights, zero weight, one sample, duplicate, contradiction, "
        "rational data"
    )
    expected |= {f"has:{flag}" for flag in flags.split(", ")}
    assert expected - found == set()


def test_documents_survive_json(drawn: list[dict[str, Any]]) -> None:
    for document in drawn:
        assert json.loads(json.dumps(document)) == document


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in _leaves(v)]
    if isinstance(value, list):
        return [leaf for v in value for leaf in _leaves(v)]
    return [value]


def test_documents_are_legal(drawn: list[dict[str, Any]]) -> None:
    for document in drawn:
        assert reference.assignment_count(document) <= 4000
        assert not any(isinstance(leaf, float) for leaf in _leaves(document))
        data, network = document["data"], document["network"]
        outputs = reference.network_of(network)[1]
        assert all(len(row) == network["inputs"] for row in data["x"])
        assert len(data["x"]) == len(data["y"])
        if document["loss"]["name"] in instances.CLASSIFICATION:
            labels = {-1, 1} if len(outputs) == 1 else set(range(len(outputs)))
            assert all(len(row) == 1 and row[0] in labels for row in data["y"])
        else:
            assert all(len(row) == len(outputs) for row in data["y"])
        weights = [reference.number(w) for w in data.get("sample_weights", [1])]
        assert min(weights) >= 0 < max(weights)
        names = [layer["name"] for layer in network.get("layers", ()) if "name" in layer]
        assert len(set(names)) == len(names)
        overrides = set(document["weights"].get("parameters", {}))
        assert overrides <= set(names) | set(reference.free_parameters(document))


def test_generator_is_reproducible() -> None:
    assert random_instance(random.Random(5)) == random_instance(random.Random(5))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("spelling", instances.SPELLINGS)
def test_knobs_force(spelling: str, domain: str) -> None:
    rng = random.Random(11)
    for activation in instances.ACTIVATIONS:
        document = random_instance(
            rng, activation=activation, domain=domain, spelling=spelling, loss="hinge",
            reduction="max", outputs=2, all_frozen=False, threshold="7/2", max_assignments=300,
        )  # fmt: skip
        found = instances.features(document)
        assert {f"activation:{activation}", f"spelling:{spelling}", "loss:hinge"} <= found
        assert {f for f in found if f.startswith("activation:")} <= {
            f"activation:{activation}",
            "activation:identity",
        }
        assert {"reduction:max", "has:several outputs"} <= found
        assert {f for f in found if f.startswith("domain:")} <= {f"domain:{domain}"}
        assert document["threshold"] == "7/2"


def test_knobs_switch_features_off() -> None:
    off = ("masks", "frozen", "shared", "skips", "overrides", "sample_weights", "margin")
    unwanted = ("mask", "named", "skip", "biases override", "parameter override", "sample weights")
    for seed in range(60):
        document = random_instance(random.Random(seed), bias=True, **dict.fromkeys(off, False))
        found = instances.features(document)
        assert not found & {f"has:{flag}" for flag in (*unwanted, "margin", "no bias")}


def test_unknown_knob() -> None:
    with pytest.raises(TypeError):
        random_instance(random.Random(0), activations="relu")


def test_thresholds_fall_on_both_sides() -> None:
    answers = {
        reference.is_satisfiable(random_instance(random.Random(seed), max_assignments=20))
        for seed in range(30)
    }
    assert answers == {True, False}


# --- the rewriters -------------------------------------------------------------------------------


def losses_agree(
    old: dict[str, Any],
    new: dict[str, Any],
    rng: random.Random,
    names: dict[str, str] | None = None,
    gain: Fraction | int = 1,
) -> None:
    """Same parameters and domains up to names, and the loss times `gain` at some θ."""
    free = reference.free_parameters(old)
    names = names or {name: name for name in free}
    assert reference.free_parameters(new) == {names[name]: free[name] for name in free}
    assert json.loads(json.dumps(new)) == new
    for _ in range(4):
        theta = random_parameters(rng, old)
        renamed = rewriters.renamed(theta, names)
        assert reference.loss(new, renamed) == gain * reference.loss(old, theta)


def cases(count: int = 40, **knobs: Any) -> list[tuple[dict[str, Any], random.Random]]:
    rngs = [random.Random(seed) for seed in range(count)]
    return [(random_instance(rng, **knobs), rng) for rng in rngs]


def shuffled(rng: random.Random, count: int) -> list[int]:
    return rng.sample(range(count), count)


def test_explicit_changes_nothing() -> None:
    for document, rng in cases():
        losses_agree(document, instances.explicit(document), rng)


def test_as_neurons() -> None:
    for document, rng in cases(spelling="layers"):
        new, names = rewriters.as_neurons(document)
        assert "layers" not in new["network"]
        losses_agree(document, new, rng, names)


def test_permute_inputs() -> None:
    for document, rng in cases():
        permutation = shuffled(rng, document["network"]["inputs"])
        new, names = rewriters.permute_inputs(document, permutation)
        losses_agree(document, new, rng, names)


def test_permute_hidden() -> None:
    for document, rng in cases(spelling="layers", activation="relu"):
        layers = document["network"]["layers"]
        for index in range(1, len(layers)):
            permutation = shuffled(rng, layers[index - 1]["units"])
            new, names = rewriters.permute_hidden(document, index, permutation)
            losses_agree(document, new, rng, names)
        with pytest.raises(ValueError):
            rewriters.permute_hidden(document, len(layers), [0])


def test_permute_hidden_by_hand() -> None:
    new, names = rewriters.permute_hidden(layered(), 1, [1, 0])
    hidden = new["network"]["layers"][0]
    assert hidden["mask"] == [[1, 1], [1, 0]]
    assert hidden["weights"] == [["1/2", {"param": "s"}], [None, None]]
    assert hidden["biases"] == [None, {"param": "s", "scale": "-1/2"}]
    assert names == {
        "W1[0,0]": "W1[1,0]", "s": "s", "b1[1]": "b1[0]", "W2[0,0]": "W2[0,0]",
        "W2[0,1]": "W2[0,1]", "W2[0,2]": "W2[0,3]", "W2[0,3]": "W2[0,2]",
    }  # fmt: skip
    assert set(new["weights"]["parameters"]) == {"hidden", "s", "W2[0,2]"}


def test_shuffle_neurons() -> None:
    for document, rng in cases(spelling="neurons"):
        losses_agree(document, rewriters.shuffle_neurons(document, rng), rng)


@pytest.mark.parametrize("factor", [F(2), F(-3, 2)])
def test_scale_inputs(factor: Fraction) -> None:
    for document, rng in cases():
        new, names = rewriters.scale_inputs(document, factor)
        losses_agree(document, new, rng, names)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("factor", [F(1), F(-1), F(5, 2), F(-1, 3)])
def test_scale_outputs(loss: str, factor: Fraction) -> None:
    for document, rng in cases(30, loss=loss):
        several = "has:several outputs" in instances.features(document)
        classes = loss in instances.CLASSIFICATION
        if (classes and several and factor < 0) or (loss == "hinge" and abs(factor) != 1):
            with pytest.raises(ValueError):
                rewriters.scale_outputs(document, factor)
            continue
        new, gain = rewriters.scale_outputs(document, factor)
        expected = {"absolute": abs(factor), "squared": factor * factor}.get(loss, F(1))
        assert gain == expected
        assert reference.number(new["threshold"]) == gain * reference.number(document["threshold"])
        losses_agree(document, new, rng, gain=gain)


def test_permute_samples() -> None:
    for document, rng in cases():
        permutation = shuffled(rng, len(document["data"]["x"]))
        losses_agree(document, rewriters.permute_samples(document, permutation), rng)


def test_add_zero_weight_sample() -> None:
    for document, rng in cases():
        new = rewriters.add_zero_weight_sample(document, rng)
        assert len(new["data"]["x"]) == len(document["data"]["x"]) + 1
        losses_agree(document, new, rng)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scale_sample_weights(reduction: str) -> None:
    for document, rng in cases(30, reduction=reduction):
        new, gain = rewriters.scale_sample_weights(document, F(7, 3))
        assert gain == (1 if reduction == "mean" else F(7, 3))
        assert reference.number(new["threshold"]) == gain * reference.number(document["threshold"])
        losses_agree(document, new, rng, gain=gain)


def test_duplicate_sample_as_weight() -> None:
    for document, rng in cases():
        sample = rng.randrange(len(document["data"]["x"]))
        twice, heavy = rewriters.duplicate_sample_as_weight(document, sample)
        assert len(twice["data"]["x"]) == len(heavy["data"]["x"]) + 1
        losses_agree(twice, heavy, rng)


def test_rewriters_leave_their_argument_alone() -> None:
    for document, rng in cases(20, spelling="layers", loss="absolute"):
        before = json.dumps(document)
        rewriters.as_neurons(document)
        rewriters.permute_inputs(document, shuffled(rng, document["network"]["inputs"]))
        rewriters.scale_inputs(document, F(2))
        rewriters.scale_outputs(document, F(2))
        rewriters.permute_samples(document, range(len(document["data"]["x"])))
        rewriters.add_zero_weight_sample(document, rng)
        rewriters.scale_sample_weights(document, F(2))
        rewriters.duplicate_sample_as_weight(document, 0)
        assert json.dumps(document) == before
