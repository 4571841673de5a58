"""The peers of the benchmark against the naive reference, and the sets of the benchmark."""

from __future__ import annotations

import importlib
import random
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import random_instances
import reference
from apart import called
from ermbit.bench.case import question_hash
from ermbit.verifier.verify import verify
from ermbit_instances.instance import load, parse_instance
from ermbit_instances.rational import parse_rational

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from benchmark import files  # noqa: E402
from benchmark.case import REAL, document, integers  # noqa: E402
from benchmark.main_set import bases, optima  # noqa: E402
from benchmark.sets import SETS, cases  # noqa: E402
from peers.__main__ import PEERS  # noqa: E402
from peers.answer import Answer, NotSupported  # noqa: E402
from peers.evaluation import total_at  # noqa: E402
from peers.highs import Solution  # noqa: E402
from peers.reading import question_of  # noqa: E402
from peers.smt_network import Network  # noqa: E402
from peers.smt_terms import Terms  # noqa: E402

HERE = ("z3-bits", "z3-integer", "cvc5-bits", "cvc5-integer", "highs", "cpsat")

LEAKY = {"name": "leaky_relu", "slope": "1/2"}
CLIP = {"name": "clip", "low": 0, "high": 2}
HALVES = {"domain": "fixed_point", "bits": 2, "fraction_bits": 1}
CUBE = {"name": "polynomial", "coefficients": [0, 0, 0, 1]}
QUARTIC = {"name": "polynomial", "coefficients": [0, "-1/2", 0, 0, 1]}
PARABOLA = {"name": "polynomial", "coefficients": [1, "1/2", 1]}
ODD = {"domain": "finite", "values": [-1, "1/2", 2]}


def tiny(
    activation: Any, domain: Any, loss: str, reduction: str, hidden: tuple[int, ...] = (2,)
) -> dict[str, Any]:
    """One input, four samples of which two are equal and one contradicts them."""
    labels = [1, -1, 1, -1, -1] if loss in ("hinge", "zero_one") else [0, 2, 2, -1, 3]
    x = [[0], [1], [1], [-2], [1]]
    return document(
        x, labels, hidden, domain, activation=activation, loss=loss, reduction=reduction
    )


def planes() -> dict[str, Any]:
    """Two inputs; hidden maxima, one with a frozen 0 among its edges; the output a maximum too."""
    x = [[1, 0], [0, 1], [-1, 1], [1, -2], [1, 0]]
    doc = document(x, [1, -1, 2, 0, 0], (2,), integers(1), activation="max")
    hidden, out = doc["network"]["layers"]
    hidden["weights"] = [[None, 0], [None, None]]
    out["activation"], out["bias"] = "max", False
    return doc


TINY = {
    "relu": tiny("relu", integers(1), "absolute", "sum"),
    "abs-squared": tiny("abs", integers(1), "squared", "mean"),
    "step-zero_one": tiny("step", integers(1), "zero_one", "sum"),
    "sign-hinge": tiny("sign", integers(1), "hinge", "sum"),
    "square-max": tiny("square", integers(1), "absolute", "max"),
    "cube": tiny(CUBE, integers(1), "absolute", "sum"),
    "cube-zero_one": tiny(CUBE, HALVES, "zero_one", "sum", (1,)),
    "quartic-max": tiny(QUARTIC, integers(0, 1), "absolute", "max", (1,)),
    "parabola-hinge": tiny(PARABOLA, integers(1), "hinge", "sum", (1,)),
    "parabola-max": tiny(PARABOLA, HALVES, "absolute", "max", (1,)),
    "leaky": tiny(LEAKY, ODD, "absolute", "sum", (1,)),
    "clip": tiny(CLIP, HALVES, "squared", "sum", (1,)),
    "relu-max-hinge": tiny("relu", HALVES, "hinge", "max", (1,)),
    "deep": tiny("relu", integers(0, 1), "absolute", "sum", (1, 2)),
    "maxout": tiny("max", integers(1), "absolute", "sum"),
    "maxout-deep": tiny("max", integers(0, 1), "squared", "mean", (2, 1)),
    "maxout-zero_one": tiny("max", HALVES, "zero_one", "sum", (1,)),
    "maxout-odd": tiny("max", ODD, "absolute", "max", (1,)),
    "maxout-planes": planes(),
    "no hidden unit": tiny("relu", integers(3), "zero_one", "mean", ()),
}


def run(name: str, doc: dict[str, Any], task: str, threshold: Fraction | None = None) -> Answer:
    """A peer in this process."""
    asked = {k: v for k, v in doc.items() if k != "threshold"}
    if threshold is not None:
        asked["threshold"] = str(threshold)
    module, arguments = PEERS[name]
    question = question_of(parse_instance(asked))
    if name == "cpsat":
        # OR-Tools and highspy each bring a libhighs.so.1: a process can load only one of them.
        found: Answer = called("peers.cpsat", "run", question, task, 60.0, 1)
        return found
    peer = importlib.import_module(f"peers.{module}")
    found = peer.run(question, task, 60.0, 1, **arguments)
    return found


def agrees(name: str, doc: dict[str, Any]) -> None:
    """The least loss, `sat` at it and `unsat` below it, all with right certificates."""
    best, _ = reference.minimum(doc)
    found = run(name, doc, "minimize")
    assert (found.status, found.loss) == ("optimal", best)
    assert reference.loss(doc, found.parameters) == best
    found = run(name, doc, "solve", best)
    assert found.status == "sat"
    assert reference.loss(doc, found.parameters) <= best
    assert run(name, doc, "solve", best - Fraction(1, 1000)).status == "unsat"


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("title", TINY)
def test_peer_agrees_with_the_reference(name: str, title: str) -> None:
    if name == "highs" and title.partition("-")[0] in ("square", "cube", "quartic", "parabola"):
        with pytest.raises(NotSupported):
            agrees(name, TINY[title])
    else:
        agrees(name, TINY[title])


@pytest.mark.parametrize("seed", range(12))
def test_peers_agree_on_random_instances(seed: int) -> None:
    doc = random_instances.random_instance(
        random.Random(f"peers {seed}"), max_assignments=60
    )
    for name in ("z3-integer", "cvc5-bits", "highs", "cpsat"):
        try:
            agrees(name, doc)
        except NotSupported:
            continue


def hidden_units(doc: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """The document with other keys in its hidden layer, or in its output's (``out_…``)."""
    hidden, out = doc["network"]["layers"]
    for key, value in keys.items():
        (out if key.startswith("out_") else hidden)[key.removeprefix("out_")] = value
    return doc


def test_units_that_may_change_places() -> None:
    """Classes of units, by their incoming own parameters: only these are put into an order."""

    def classes(**keys: Any) -> list[list[list[str]]]:
        doc = document([[0, 1], [1, 1]], [0, 1], (3,), integers(1))
        question = question_of(parse_instance(hidden_units(doc, **keys)))
        names = [p.name for p in question.parameters]
        return [[[names[p] for p in unit] for unit in members] for members in question.classes]

    every = [[f"W1[{k},0]", f"W1[{k},1]", f"b1[{k}]"] for k in range(3)]
    assert classes() == [every]
    assert classes(out_weights=[[1, 1, 1]]) == [every]  # frozen alike
    assert classes(out_weights=[[1, "-1/2", 1]]) == [[every[0], every[2]]]
    assert classes(out_weights=[[1, 2, None]]) == []
    shared = {"param": "a"}
    assert classes(out_weights=[[shared, shared, None]]) == [every[:2]]
    assert classes(out_weights=[[shared, {"param": "a", "scale": 2}, None]]) == []
    assert classes(biases=[shared, shared, shared]) == [[unit[:2] for unit in every]]
    assert classes(biases=[0, 1, 1]) == [[unit[:2] for unit in every[1:]]]
    assert classes(biases=[shared, None, None], out_weights=[[shared, 1, 1]]) == [every[1:]]
    assert classes(weights=[[3, 1], [3, 1], [3, 1]], bias=False) == []  # nothing to put in order


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("title", ("plain", "outer", "shared", "maxima", "two layers"))
def test_orders_lose_no_answer(name: str, title: str) -> None:
    labels = [1, -1, 0, 2, 1]
    doc = document([[0], [1], [2], [-2], [1]], labels, (2,), integers(1))
    if title == "plain":
        hidden_units(doc, out_weights=[[1, 1]])
    elif title == "outer":
        hidden_units(doc, biases=[0, 0], out_weights=[[None, None]], activation="step")
    elif title == "shared":
        hidden_units(doc, out_weights=[[{"param": "a"}, {"param": "a"}]])
    elif title == "maxima":
        hidden_units(doc, out_weights=[[-1, -1]], out_activation="max", activation="step")
    else:
        out = doc["network"]["layers"].pop()
        again = {"units": 2, "activation": "relu", "bias": False}
        doc["network"]["layers"] += [again, out | {"weights": [[1, 1]], "biases": [-1]}]
        doc["weights"] = integers(0, 1)
    question = question_of(parse_instance(doc))
    assert question.classes
    agrees(name, doc)


@pytest.mark.parametrize("name", ("z3", "cvc5"))
def test_floats_are_asked_over_the_reals(name: str) -> None:
    """Too many values for a list: what the reals refute is refuted, what they fit may fit."""
    domain = {"domain": "float", "format": "bfloat16"}
    line = document([[0], [1], [2]], [0, 1, 3], (), domain)
    assert run(name, line, "solve", Fraction(49, 100)).status == "unsat"
    assert run(name, line, "solve", Fraction(1, 2)).status in ("sat", "unknown")
    exact = document([[1], [2]], ["1/3", "2/3"], (), domain)
    assert run(name, exact, "solve", Fraction(0)).status == "unknown"
    with pytest.raises(NotSupported):
        run(name, line, "minimize")


@pytest.mark.parametrize("name", ("z3-integer", "cvc5-integer", "highs", "cpsat"))
@pytest.mark.parametrize("most", (10_000, 2**70))
def test_long_runs_of_integers_stay_integers(name: str, most: int) -> None:
    line = document([[0], [1], [2]], [7001, 7003, 7004], (), integers(most))
    if most > 10_000 and name in ("highs", "cpsat"):
        with pytest.raises(NotSupported):
            run(name, line, "minimize")
        return
    assert run(name, line, "solve", Fraction(0)).status == "unsat"
    found = run(name, line, "minimize")
    assert found.loss == 1 and reference.loss(line, found.parameters) == 1


def test_ends_tell_whether_a_run_is_symmetric() -> None:
    """Nobody goes through all of its values."""
    for domain, free in ((integers(2**70), 2), (integers(-(2**70), 2**70 - 1), 0)):
        doc = document([[0], [1]], [0, 1], (2,), domain, activation="abs")
        assert len(question_of(parse_instance(doc)).flips) == free


@pytest.mark.parametrize("name", ("z3", "cvc5"))
def test_real_weights(name: str) -> None:
    xor = document([[0, 0], [0, 1], [1, 0], [1, 1]], [-1, 1, 1, -1], (), REAL, loss="zero_one")
    assert run(name, xor, "minimize").loss == 1
    assert run(name, xor, "solve", Fraction(0)).status == "unsat"
    # one relu: a kink may be anywhere, so only the contradiction costs
    kink = document([[0], [1], [2], [3], [3]], [0, 0, 1, 2, 4], (1,), REAL)
    found = run(name, kink, "solve", Fraction(2))
    assert found.status == "sat"
    assert reference.loss(kink, found.parameters) <= 2
    assert run(name, kink, "solve", Fraction(199, 100)).status == "unsat"
    # two lines under a maximum are convex, which the last three points are not
    edge = document([[-1], [0], [1], [2]], [1, 0, 1, 1], (1,), REAL, activation="max")
    edge["network"]["layers"][0] |= {"units": 2, "activation": "identity"}
    edge["network"]["layers"][1] |= {"activation": "max", "weights": [[1, 1]], "bias": False}
    found = run(name, edge, "solve", Fraction(1, 2))
    assert found.status == "sat"
    assert reference.loss(edge, found.parameters) <= Fraction(1, 2)
    assert run(name, edge, "solve", Fraction(49, 100)).status == "unsat"


@pytest.mark.parametrize("name", ("z3", "cvc5"))
def test_real_polynomials(name: str) -> None:
    """Exact fits with and without roots, bounds on the largest error, labels, a rational domain."""
    two = document([[-1], [0], [2]], [2, 0, 8], (1,), REAL, activation="square")
    assert sat(name, two, Fraction(0))  # v u² = 2, so with v = 1 it is √2
    two["data"]["y"] = [[-2], [0], [-8]]
    assert sat(name, two, Fraction(0))
    cube = document([[-1], [0], [1], [2]], [-1, 0, 1, 9], (1,), REAL, activation=CUBE)
    assert not sat(name, cube, Fraction(0))
    cube["data"]["y"] = [[1], [0], [-1], [-8]]
    assert sat(name, cube, Fraction(0))
    line = document([[-1], [0], [1]], [2, 0, 2], (), REAL, reduction="max")
    line["network"]["layers"].insert(0, {"units": 1, "activation": "square"})
    line["network"]["layers"][1]["bias"] = False
    assert sat(name, line, Fraction(0))
    line["data"]["y"] = [[1], [-1], [1]]
    assert sat(name, line, Fraction(1))
    assert not sat(name, line, Fraction(1, 2))
    labels = document([[-1], [0], [1]], [1, -1, 1], (1,), REAL, activation=CUBE, loss="zero_one")
    assert not sat(name, labels, Fraction(0))
    narrow = document([[0], [1]], [0, 2], (1,), {"domain": "rational", "bits": 12})
    narrow["network"]["layers"][0]["activation"] = "square"
    assert run(name, narrow, "solve", Fraction(0)).status in ("sat", "unknown")
    narrow["data"]["x"].append([0])
    narrow["data"]["y"].append([1])
    assert run(name, narrow, "solve", Fraction(0)).status == "unsat"


def sat(name: str, doc: dict[str, Any], threshold: Fraction) -> bool:
    """Whether a peer says ``sat``; its certificate is then verified."""
    found = run(name, doc, "solve", threshold)
    assert found.status in ("sat", "unsat")
    if found.status == "sat":
        instance = parse_instance({**doc, "threshold": str(threshold)})
        assert verify(instance, found.parameters).accepted
    return found.status == "sat"


def test_real_minimum() -> None:
    kink = document([[0], [1], [2], [3], [3]], [0, 0, 1, 2, 4], (1,), REAL)
    found = run("z3", kink, "minimize")
    assert (found.status, found.loss) == ("optimal", 2)
    assert reference.loss(kink, found.parameters) == 2
    with pytest.raises(NotSupported):
        run("cvc5", kink, "minimize")


@pytest.mark.parametrize("title", TINY)
def test_scaled_total_is_the_loss(title: str) -> None:
    doc, rng = TINY[title], random.Random(title)
    question = question_of(parse_instance(doc))
    for _ in range(20):
        values = [rng.choice(p.values or (0,)) for p in question.parameters]
        theta = {k: Fraction(v) for k, v in question.certificate(values).items()}
        assert question.loss_of(total_at(question, values)) == reference.loss(doc, theta)


@pytest.mark.parametrize("task", ("solve", "minimize"))
def test_highs_claims_no_more_than_is_exact(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    """A solver that calls any point a solution of loss 0, as loose tolerances do."""

    def loose(program: Any, *_: Any) -> Solution:
        return Solution("optimal", [0.0] * len(program.lower), 0.0, 0.0)

    doc = document([[0], [1]], [1, 3], (), integers(3))
    assert run("highs", doc, "minimize").loss == 0
    monkeypatch.setattr("peers.milp.solve", loose)
    found = run("highs", doc, task, Fraction(0) if task == "solve" else None)
    assert (found.status, found.loss) == (("unknown", None) if task == "solve" else ("feasible", 4))


def test_highs_has_no_limit_on_a_largest_loss() -> None:
    """Totals past what it can tell apart are refused, and not taken for unreachable."""
    doc = document([[0], [0]], [1_000, -1_000], (), integers(1), reduction="max")
    doc["data"]["sample_weights"] = [10_000_000, 1]
    with pytest.raises(NotSupported):
        run("highs", doc, "solve", Fraction(10**10))


def test_biases_that_readers_take_over() -> None:
    """Of two hidden maxima over the reals only the output's bias is left free; shared ones stay."""

    def absorbed(doc: dict[str, Any]) -> int:
        terms = Terms("z3", "real")
        return len(Network(question_of(parse_instance(doc)), terms)._absorbed())

    doc = document([[0, 1], [1, 2]], [0, 1], (2,), REAL, activation="max")
    assert absorbed(doc) == 2
    doc["network"]["layers"][0]["biases"] = [None, {"param": "b1"}]
    doc["network"]["layers"][1]["biases"] = [{"param": "b2"}]
    assert absorbed(doc) == 2
    doc["network"]["layers"][1]["biases"] = [{"param": "b1"}]
    assert absorbed(doc) == 0
    doc["network"]["layers"][1] = {"units": 1, "activation": "identity", "bias": False}
    assert absorbed(doc) == 0
    doc["network"]["layers"][1] = {"units": 1, "activation": "max"}
    assert absorbed(doc) == 0


# ---------------------------------------------------------------- the sets


@pytest.mark.parametrize("name", SETS)
def test_sets_are_legal_and_the_same_every_time(name: str) -> None:
    found = cases(name)
    assert found == cases(name)
    assert len({case.name for case in found}) == len(found)
    for case in found:
        parse_instance(case.document)
        assert case.task in ("solve", "minimize")
        assert case.kind in ("agnostic", "realizable")


def test_cases_are_prepared_for_the_runner(tmp_path: Path) -> None:
    found = [*cases("planted")[:3], *cases("table")[:1]]
    for case, asked in zip(found, files.prepared("s", found, tmp_path), strict=True):
        instance = load(asked.file)
        assert question_hash(instance) == asked.question
        assert (asked.set, asked.name, asked.task) == ("s", case.name, case.task)
        if case.task == "solve":
            assert instance.threshold == parse_rational(asked.threshold)
        assert asked.expected == case.expected


def test_main_set_is_broad_and_its_optima_are_known() -> None:
    found = cases("main")
    assert len(found) >= 150
    assert {case.name for case in cases("agnostic")} < {case.name for case in found}
    assert {b.name for b in bases()} >= set(optima())
    losses = {case.document["loss"]["name"] for case in found}
    assert losses == {"absolute", "squared", "hinge", "zero_one"}


