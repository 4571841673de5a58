"""Pseudo-Boolean sums against brute force."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Cadical153

from ermbit_encodings import circuit
from ermbit_encodings.circuit import FALSE, TRUE, Cnf, is_true, unit_propagation
from ermbit_encodings.errors import EncodingError


def assignments(variables):
    for signs in product((1, -1), repeat=len(variables)):
        yield [s * v for s, v in zip(signs, variables, strict=True)]


TERMS = st.lists(
    st.tuples(
        st.integers(-6, 6),
        st.one_of(st.sampled_from([TRUE, FALSE]), st.integers(2, 6), st.integers(-6, -2)),
    ),
    max_size=9,
)


@given(TERMS, st.integers(-15, 25))
def test_weighted_sums_are_exact(terms, bound):
    cnf = Cnf()
    variables = cnf.fresh_many(5)
    weights, literals = [w for w, _ in terms], [x for _, x in terms]
    total = circuit.weighted_sum(cnf, weights, literals)
    within = circuit.weighted_sum_le(cnf, weights, literals, bound)
    asserted = Cnf()
    asserted.fresh_many(5)
    circuit.require_weighted_sum_le(asserted, weights, literals, bound)
    sums = set()
    for fixed in assignments(variables):
        model = unit_propagation(cnf.clauses, fixed)
        assert model is not None
        assert len(model) == cnf.variables
        expected = sum(w for w, x in terms if is_true(x, model))
        sums.add(expected)
        assert total.value(model) == expected
        assert is_true(within, model) == (expected <= bound)
        assert (unit_propagation(asserted.clauses, fixed) is not None) == (expected <= bound)
    assert (total.lo, total.hi) == (min(sums), max(sums))


@pytest.mark.parametrize("weight", [1, 3])
@pytest.mark.parametrize("count", range(1, 8))
def test_equal_weights_for_every_bound(count, weight):
    for bound in range(-1, weight * count + 2):
        cnf = Cnf()
        variables = cnf.fresh_many(count)
        within = circuit.weighted_sum_le(cnf, [weight] * count, variables, bound)
        for fixed in assignments(variables):
            model = unit_propagation(cnf.clauses, fixed)
            assert len(model) == cnf.variables
            true = sum(x > 0 for x in fixed)
            assert is_true(within, model) == (weight * true <= bound)


@pytest.mark.parametrize("limit", [None, 0, 1, 2, 3, 5, 6, 9])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 7])
def test_totalizer_outputs_count(count, limit):
    cnf = Cnf()
    variables = cnf.fresh_many(count)
    outputs = circuit.totalizer(cnf, variables, limit)
    assert len(outputs) == (count if limit is None else min(limit, count))
    for fixed in assignments(variables):
        model = unit_propagation(cnf.clauses, fixed)
        assert len(model) == cnf.variables
        true = sum(x > 0 for x in fixed)
        assert [is_true(o, model) for o in outputs] == [true > k for k in range(len(outputs))]


@pytest.mark.parametrize("count, bound", [(60, 3), (60, 56), (60, 30), (400, 150)])
def test_large_counts_at_the_bound(count, bound):
    """Unary and binary counting, by bounds just met and just missed."""
    cnf = Cnf()
    variables = cnf.fresh_many(count)
    circuit.require_weighted_sum_le(cnf, [1] * count, variables, bound)
    for true, allowed in [(bound, True), (bound + 1, False), (0, True), (count, False)]:
        fixed = [x if k < true else -x for k, x in enumerate(variables)]
        assert (unit_propagation(cnf.clauses, fixed) is not None) == allowed
        with Cadical153(bootstrap_with=cnf.clauses) as solver:
            assert solver.solve(assumptions=fixed) == allowed


def test_unary_counts_propagate_the_last_literals():
    cnf = Cnf()
    variables = cnf.fresh_many(20)
    circuit.require_weighted_sum_le(cnf, [1] * 20, variables, 2)
    derived = unit_propagation(cnf.clauses, [variables[4], variables[17]])
    assert all(-x in derived for k, x in enumerate(variables) if k not in (4, 17))


def test_decided_sums_cost_nothing():
    cnf = Cnf()
    a, b = cnf.fresh_many(2)
    assert circuit.weighted_sum_le(cnf, [2, 3], [a, b], 5) == TRUE
    assert circuit.weighted_sum_le(cnf, [2, 3], [a, b], -1) == FALSE
    assert circuit.weighted_sum_le(cnf, [2, 2], [a, -a], 2) == TRUE
    assert circuit.weighted_sum_le(cnf, [], [], 0) == TRUE
    assert circuit.weighted_sum_le(cnf, [7, 1], [a, b], 6) == -a
    assert cnf.clauses == [(TRUE,)]


def test_numbers_of_weights_and_literals_must_agree():
    cnf = Cnf()
    a = cnf.fresh()
    with pytest.raises(EncodingError):
        circuit.weighted_sum(cnf, [1, 2], [a])
