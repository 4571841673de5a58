"""The formula of an instance: every θ, at several totals, against the plain integer evaluation."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from gmpy2 import mpq
from pysat.solvers import Solver

import random_instances
import reference
from dense_networks import dense
from ermbit_encodings.circuit import FALSE, TRUE, Cnf, Word, constant, input_range
from ermbit_encodings.cnf_encoding import CnfEncoding, encode_cnf, grid_problem
from ermbit_encodings.cnf_loss import Deviation
from ermbit_encodings.cnf_network import activate, distinct_pieces, parameter_words
from ermbit_encodings.cnf_size import estimate_clauses
from ermbit_encodings.errors import EncodingError, EncodingLimitError
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, integer_domain
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import parse_instance


def problem(document: dict[str, Any]) -> Problem:
    return Problem(parse_instance(document))


def fixing(word: Word, value: int) -> list[int]:
    """Literals that say the word has the value."""
    assert word.lo <= value <= word.hi
    return [bit if value >> place & 1 else -bit for place, bit in enumerate(word.bits)]


def assignments(form: IntegerForm) -> list[tuple[int, ...]]:
    return list(itertools.product(*(integer_domain(form, i) for i in range(len(form.grids)))))


def interesting_totals(totals: list[int], rng: random.Random) -> list[int]:
    low, middle, high = min(totals), rng.choice(totals), max(totals)
    return sorted({0, low - 1, low, low + 1, middle, high - 1})


def assert_agrees(encoding: CnfEncoding, totals: dict[tuple[int, ...], int], bound: int) -> None:
    """With θ fixed, there is a model with the bound iff the total of θ is within it."""
    literal = encoding.threshold(bound)
    with Solver("glucose4", bootstrap_with=encoding.cnf.clauses) as solver:
        for values, total in totals.items():
            fixed = [
                bit
                for parameter, value in zip(encoding.parameters, values, strict=True)
                for bit in fixing(parameter.word, value)
            ]
            assert solver.solve(assumptions=[*fixed, literal]) == (total <= bound), (values, bound)
            if total <= bound:
                assert encoding.decode(solver.get_model()) == values


@pytest.mark.parametrize("seed", range(80))
def test_formula_means_the_total(seed: int) -> None:
    rng = random.Random(seed)
    document = random_instances.random_instance(rng, max_assignments=60)
    finite = grid_problem(problem(document))
    assert finite is not None and finite.integer is not None
    form = finite.integer
    totals = {values: form.total(values) for values in assignments(form)}
    free = encode_cnf(finite, break_symmetries=False)
    for bound in interesting_totals(list(totals.values()), rng):
        assert_agrees(free, totals, bound)
        if bound >= 0:
            bounded = encode_cnf(finite, budget=bound, break_symmetries=False)
            assert_agrees(bounded, totals, bound)
            assert_agrees(bounded, totals, bound - 1)


@pytest.mark.parametrize("loss", random_instances.LOSSES)
@pytest.mark.parametrize("reduction", random_instances.REDUCTIONS)
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_every_loss_with_several_outputs(loss: str, reduction: str, outputs: int) -> None:
    rng = random.Random(f"{loss} {reduction} {outputs}")
    for _ in range(3):
        document = random_instances.random_instance(
            rng, max_assignments=40, loss=loss, reduction=reduction, outputs=outputs
        )
        finite = grid_problem(problem(document))
        assert finite is not None and finite.integer is not None
        totals = {v: finite.integer.total(v) for v in assignments(finite.integer)}
        encoding = encode_cnf(finite, break_symmetries=False)
        for bound in interesting_totals(list(totals.values()), rng):
            assert_agrees(encoding, totals, bound)


@pytest.mark.parametrize("seed", range(40))
def test_symmetry_breaking_keeps_satisfiability(seed: int) -> None:
    rng = random.Random(1000 + seed)
    document = random_instances.random_instance(
        rng, max_assignments=400, frozen=False, shared=False, hidden_layers=rng.choice([1, 2])
    )
    finite = grid_problem(problem(document))
    assert finite is not None and finite.integer is not None
    totals = [finite.integer.total(v) for v in assignments(finite.integer)]
    for bound in interesting_totals(totals, rng):
        encoding = encode_cnf(finite, budget=bound)
        with Solver("glucose4", bootstrap_with=encoding.cnf.clauses) as solver:
            assert solver.solve() == (min(totals) <= bound)


def test_symmetry_breaking_keeps_one_order_of_equal_neurons() -> None:
    weights = {"domain": "integer", "low": -1, "high": 1}
    document = dense([[1], [2]], [[1], [2]], weights, hidden=[2])
    finite = problem(document)
    assert finite.integer is not None and finite.symmetries
    kept = []
    encoding = encode_cnf(finite)
    with Solver("glucose4", bootstrap_with=encoding.cnf.clauses) as solver:
        for values in assignments(finite.integer):
            fixed = [
                bit
                for parameter, value in zip(encoding.parameters, values, strict=True)
                for bit in fixing(parameter.word, value)
            ]
            if solver.solve(assumptions=fixed):
                kept.append(values)
    # W1[0,0], W1[1,0], b1[0], b1[1], W2[0,0], W2[0,1], b2[0]; key: row, bias, then outgoing.
    neurons = {(v[0], v[2], v[4]) for v in assignments(finite.integer)}
    pairs = len(neurons) * (len(neurons) + 1) // 2
    assert len(kept) == pairs * 3
    assert all((v[0], v[2], v[4]) <= (v[1], v[3], v[5]) for v in kept)


def test_budget_zero_needs_no_sum() -> None:
    """An exact fit is asserted on the outputs: nothing is added, squared or compared in total."""
    weights = {"domain": "integer", "low": -3, "high": 3}
    x, y = [[1, 2], [2, 1], [3, 3]], [[1], [4], [2]]
    sizes = {}
    for name in ("absolute", "squared"):
        loss = {"name": name, "reduction": "sum"}
        finite = problem(dense(x, y, weights, hidden=[1], loss=loss))
        sizes[name] = len(encode_cnf(finite, budget=0).cnf.clauses)
        assert sizes[name] < len(encode_cnf(finite, budget=1).cnf.clauses)
    assert sizes["absolute"] == sizes["squared"]


@pytest.mark.parametrize(
    "domain",
    [
        {"domain": "integer", "low": -3, "high": 5, "denominator": 2},
        {"domain": "integer", "low": 4, "high": 4},
        {"domain": "fixed_point", "bits": 4, "fraction_bits": 2},
        {"domain": "finite", "values": ["-3/2", 0, "1/10", 7]},
        {"domain": "rational", "bits": 3},
        {"domain": "float", "format": "fp8_e4m3"},
        {"domain": "float", "format": "fp8_e5m2"},
    ],
    ids=lambda d: d["domain"] + d.get("format", ""),
)
def test_parameter_words_have_exactly_the_values(domain: dict[str, Any]) -> None:
    document = dense([[1]], [[0]], domain)
    finite = grid_problem(problem(document))
    assert finite is not None and finite.integer is not None
    cnf = Cnf()
    parameter = parameter_words(cnf, finite.integer)[0]
    grid = finite.integer.grids[0]
    expected = {int(v * grid) for v in reference.values(domain)}
    low, high = parameter.word.lo, parameter.word.hi
    assert (low, high) == (min(expected), max(expected))
    rng = random.Random(0)
    others = {rng.randint(low, high) for _ in range(300)}
    with Solver("glucose4", bootstrap_with=cnf.clauses) as solver:
        for value in expected | others:
            assert solver.solve(assumptions=fixing(parameter.word, value)) == (value in expected)
            if value in expected:
                assert parameter.decode(frozenset(solver.get_model())) == value


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_large_float_domains(name: str) -> None:
    document = dense([[1]], [[0]], {"domain": "float", "format": name})
    finite = problem(document)
    assert finite.integer is not None
    domain = finite.instance.network.parameters[0].domain
    grid = finite.integer.grids[0]
    assert domain.high is not None
    highest = int(domain.high * grid)
    cnf = Cnf()
    word = parameter_words(cnf, finite.integer)[0]
    assert (word.word.lo, word.word.hi) == (-highest, highest)
    rng = random.Random(name)
    candidates = [0, 1, -1, highest, -highest, highest - 1]
    for _ in range(60):
        value = rng.getrandbits(rng.randint(1, highest.bit_length() - 1))
        rounded = domain.below(domain.high * value / highest)
        assert rounded is not None
        candidates += [value, -value, int(rounded * grid)]
    with Solver("glucose4", bootstrap_with=cnf.clauses) as solver:
        for value in candidates:
            expected = domain.high * value / highest in domain
            assert solver.solve(assumptions=fixing(word.word, value)) == expected, value
            if expected:
                assert word.decode(frozenset(solver.get_model())) == value


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_products_of_large_float_domains(name: str) -> None:
    weights = {"domain": "float", "format": name}
    finite = problem(dense([["1/3", 2], [-1, "5/2"]], [["1/7"], [2]], weights, hidden=[1]))
    assert finite.integer is not None
    form = finite.integer
    encoding = encode_cnf(finite)
    domain = finite.instance.network.parameters[0].domain
    rng = random.Random(name)
    with Solver("glucose4", bootstrap_with=encoding.cnf.clauses) as solver:
        for _ in range(12):
            values = []
            for _ in form.grids:
                drawn = mpq(rng.randint(-(2**16), 2**16), 2 ** rng.randint(8, 20))
                rounded = domain.below(drawn)
                assert rounded is not None
                values.append(int(rounded * form.grids[0]))
            total = form.total(values)
            fixed = [
                bit
                for parameter, value in zip(encoding.parameters, values, strict=True)
                for bit in fixing(parameter.word, value)
            ]
            for bound in (total - 1, total, total + 1):
                size = len(encoding.cnf.clauses)
                literal = encoding.threshold(bound)
                solver.append_formula(encoding.cnf.clauses[size:])
                if literal in (TRUE, FALSE):
                    assert (literal == TRUE) == (total <= bound)
                else:
                    assert solver.solve(assumptions=[*fixed, literal]) == (total <= bound)


def test_deviation_interval() -> None:
    for factor, offset, radius in itertools.product((-3, -2, -1, 1, 2, 3), range(-5, 6), range(5)):
        for two_sided in (False, True):
            low, high = Deviation(constant(0), factor, offset, two_sided).interval(radius)
            for value in range(-20, 21):
                v = factor * value + offset
                inside = abs(v) <= radius if two_sided else v >= -radius
                within = (low is None or value >= low) and (high is None or value <= high)
                assert inside == within


def test_excess_range_knows_the_nearest_grid_point() -> None:
    cnf = Cnf()
    word = input_range(cnf, -4, 4)
    excess = Deviation(word, 4, -6, True).excess(cnf)
    assert (excess.lo, excess.hi) == (2, 22)
    beyond = Deviation(word, 1, -7, True).excess(cnf)
    assert (beyond.lo, beyond.hi) == (3, 11)


def test_equal_breakpoints_make_no_piece() -> None:
    points = (0, 0, 2, 2, 2)
    pieces = ((0, 1), (5, 5), (1, 0), (6, 6), (7, 7), (-1, 3))
    neuron = IntegerNeuron(0, 1, 1, (), None, "piecewise_linear", points, pieces)
    assert distinct_pieces(neuron) == ([0, 2], [(0, 1), (1, 0), (-1, 3)])
    cnf = Cnf()
    z = input_range(cnf, -3, 6)
    a = activate(cnf, neuron, z)
    with Solver("glucose4", bootstrap_with=cnf.clauses) as solver:
        for value in range(-3, 7):
            assert solver.solve(assumptions=fixing(z, value))
            assert a.value(solver.get_model()) == neuron.activate(value)


@pytest.mark.parametrize(
    "points, pieces",
    [
        ((0,), ((0, 0), (1, 0))),
        ((0,), ((0, 0), (3, 0))),
        ((0,), ((0, 0), (-2, 0))),
        ((0,), ((-1, 0), (1, 0))),
        ((0,), ((-3, 0), (3, 0))),
        ((0,), ((2, 0), (-2, 0))),
        ((0,), ((1, 0), (10, 0))),
        ((0,), ((0, 1), (1, 0))),
        ((1,), ((-1, 0), (1, 0))),
        ((), ((-2, 5),)),
        ((-1, 2), ((0, -7), (2, 1), (0, 4))),
    ],
)
def test_piecewise_activations(
    points: tuple[int, ...], pieces: tuple[tuple[int, int], ...]
) -> None:
    neuron = IntegerNeuron(0, 1, 1, (), None, "piecewise_linear", points, pieces)
    for low, high in ((-5, 6), (0, 4), (-6, -1), (-4, 0)):
        cnf = Cnf()
        z = input_range(cnf, low, high)
        a = activate(cnf, neuron, z)
        with Solver("glucose4", bootstrap_with=cnf.clauses) as solver:
            for value in range(low, high + 1):
                assert solver.solve(assumptions=fixing(z, value))
                assert a.value(solver.get_model()) == neuron.activate(value)


def test_equal_rows_share_their_gates() -> None:
    weights = {"domain": "integer", "low": -2, "high": 2}
    once = problem(dense([[1, 2]], [[1]], weights, hidden=[3]))
    twice = problem(dense([[1, 2], [1, 2]], [[1], [2]], weights, hidden=[3]))
    one, two = (len(encode_cnf(p, budget=5).cnf.clauses) for p in (once, twice))
    assert two < 1.5 * one


def test_limits_and_interruption() -> None:
    weights = {"domain": "integer", "low": -7, "high": 7}
    x = [[i, i * i, 3 - i] for i in range(20)]
    finite = problem(dense(x, [[i] for i in range(20)], weights, hidden=[4]))
    with pytest.raises(EncodingLimitError):
        encode_cnf(finite, clause_limit=500)

    class Stop(Exception):
        pass

    calls = itertools.count()

    def interrupt() -> None:
        if next(calls) >= 2:
            raise Stop

    with pytest.raises(Stop):
        encode_cnf(finite, interrupt=interrupt)


def test_domains_without_a_grid() -> None:
    real = problem(dense([[1]], [[0]], {"domain": "real"}))
    large = problem(dense([[1]], [[0]], {"domain": "rational", "bits": 20}))
    for finite in (real, large):
        assert estimate_clauses(finite) == float("inf")
        with pytest.raises(EncodingError):
            encode_cnf(finite)


@pytest.mark.parametrize("seed", range(25))
def test_estimate_is_of_the_right_size(seed: int) -> None:
    rng = random.Random(seed)
    document = random_instances.random_instance(rng, max_assignments=10**9, samples=5)
    finite = problem(document)
    actual = len(encode_cnf(finite).cnf.clauses)
    assert actual < 4 * estimate_clauses(finite) + 200


def test_estimate_of_a_large_network_is_quick_and_large() -> None:
    weights = {"domain": "integer", "low": -1, "high": 1}
    x = [[(i * j) % 5 for j in range(100)] for i in range(50)]
    finite = problem(dense(x, [[0]] * 50, weights, hidden=[300, 300]))
    assert estimate_clauses(finite) > 10**8
