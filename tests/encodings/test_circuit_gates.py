"""Gates, hashing, limits, and unit propagation."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Cadical153

from ermbit_encodings.circuit import FALSE, TRUE, Cnf, is_true, unit_propagation
from ermbit_encodings.errors import EncodingError, EncodingLimitError
from ermbit_instances.errors import ErmbitError

GATES = {
    "and": (2, lambda cnf, a, b: cnf.and_(a, b), lambda a, b: a and b),
    "or": (2, lambda cnf, a, b: cnf.or_(a, b), lambda a, b: a or b),
    "xor": (2, lambda cnf, a, b: cnf.xor(a, b), lambda a, b: a != b),
    "xor3": (3, lambda cnf, a, b, c: cnf.xor3(a, b, c), lambda a, b, c: (a + b + c) % 2 == 1),
    "majority": (3, lambda cnf, a, b, c: cnf.majority(a, b, c), lambda a, b, c: a + b + c >= 2),
    "mux": (3, lambda cnf, a, b, c: cnf.mux(a, b, c), lambda a, b, c: b if a else c),
    "and_all": (4, lambda cnf, *x: cnf.and_all(x), lambda *x: all(x)),
    "or_all": (4, lambda cnf, *x: cnf.or_all(x), lambda *x: any(x)),
    "parity": (4, lambda cnf, *x: cnf.parity(x), lambda *x: sum(x) % 2 == 1),
}


@pytest.mark.parametrize("name", GATES)
def test_gate_is_exact_for_all_operands(name):
    """Every operand is a constant or a literal of one of the variables, repetitions included."""
    arity, build, meaning = GATES[name]
    variables = 3 if arity == 3 else 2
    operands = [TRUE, FALSE, *(s * (v + 2) for v in range(variables) for s in (1, -1))]
    for arguments in product(operands, repeat=arity):
        cnf = Cnf()
        inputs = cnf.fresh_many(variables)
        gate = build(cnf, *arguments)
        for signs in product((1, -1), repeat=variables):
            fixed = [s * v for s, v in zip(signs, inputs, strict=True)]
            model = unit_propagation(cnf.clauses, fixed)
            assert model is not None
            assert len(model) == cnf.variables
            values = [is_true(a, model) for a in arguments]
            assert is_true(gate, model) == meaning(*values), (arguments, fixed)


@pytest.mark.parametrize("name", GATES)
def test_equal_gates_are_one_literal(name):
    arity, build, _ = GATES[name]
    cnf = Cnf()
    inputs = cnf.fresh_many(arity)
    first = build(cnf, *inputs)
    size = len(cnf.clauses)
    assert build(cnf, *inputs) == first
    assert (len(cnf.clauses), cnf.variables) == (size, abs(first))


def test_signs_and_order_share_gates():
    cnf = Cnf()
    a, b, c = cnf.fresh_many(3)
    assert cnf.xor(-a, b) == -cnf.xor(b, a)
    assert cnf.xor3(c, -a, b) == -cnf.xor3(a, b, c)
    assert cnf.majority(-c, -a, -b) == -cnf.majority(a, b, c)
    assert cnf.mux(-a, b, c) == cnf.mux(a, c, b)
    assert cnf.mux(a, -b, -c) == -cnf.mux(a, b, c)
    assert cnf.and_all([a, b, c, a]) == cnf.and_all([c, b, a])


def test_constants_cost_no_clause():
    cnf = Cnf()
    a = cnf.fresh()
    results = [
        cnf.and_(a, TRUE),
        cnf.or_(FALSE, a),
        cnf.xor(a, TRUE),
        cnf.xor3(a, TRUE, FALSE),
        cnf.majority(a, TRUE, FALSE),
        cnf.mux(TRUE, a, FALSE),
        cnf.and_(a, -a),
        cnf.xor(a, a),
    ]
    assert results == [a, a, -a, -a, a, a, FALSE, FALSE]
    assert cnf.clauses == [(TRUE,)]


def test_clauses_are_simplified():
    cnf = Cnf()
    a, b = cnf.fresh_many(2)
    cnf.add_clause([a, FALSE, b, a])
    cnf.add_clause([a, -b, TRUE])
    cnf.add_clause([a, -a])
    assert cnf.clauses == [(TRUE,), (a, b)]
    cnf.add_clause([FALSE])
    assert cnf.clauses[-1] == (FALSE,)
    assert unit_propagation(cnf.clauses, ()) is None


@pytest.mark.parametrize("literal", [0, 3, -3])
def test_unknown_literals_are_refused(literal):
    cnf = Cnf()
    a = cnf.fresh()
    with pytest.raises(EncodingError):
        cnf.add_clause([a, literal])


def test_clause_limit():
    cnf = Cnf(clause_limit=4)
    a, b, c = cnf.fresh_many(3)
    cnf.and_(a, b)
    assert len(cnf.clauses) == 4
    with pytest.raises(EncodingLimitError, match="4 clauses"):
        cnf.and_(a, c)
    assert issubclass(EncodingLimitError, (ErmbitError, OverflowError))


def test_clause_limit_holds_for_plain_clauses():
    cnf = Cnf(clause_limit=1)
    a = cnf.fresh()
    with pytest.raises(EncodingLimitError):
        cnf.require(a)


def test_interrupt_stops_the_construction():
    class Stop(Exception):
        pass

    calls = []

    def interrupt():
        calls.append(len(cnf.clauses) if len(calls) else 0)
        if len(calls) == 3:
            raise Stop

    def build():
        previous = cnf.fresh()
        for _ in range(20_000):
            previous = cnf.and_(previous, cnf.fresh())

    cnf = Cnf(interrupt=interrupt)
    with pytest.raises(Stop):
        build()
    assert 8192 <= len(cnf.clauses) < 8300


CLAUSES = st.lists(
    st.lists(st.integers(1, 6).flatmap(lambda v: st.sampled_from([v, -v])), min_size=1, max_size=4),
    max_size=14,
)


@given(CLAUSES, st.lists(st.integers(1, 6).flatmap(lambda v: st.sampled_from([v, -v])), max_size=4))
def test_unit_propagation_is_sound_and_complete_on_full_assignments(clauses, fixed):
    derived = unit_propagation(clauses, fixed)
    with Cadical153(bootstrap_with=clauses) as solver:
        satisfiable = solver.solve(assumptions=fixed)
        if derived is None:
            assert not satisfiable
        else:
            assert set(fixed) <= derived
            for literal in derived:
                assert not solver.solve(assumptions=[*fixed, -literal])
            if {abs(literal) for literal in derived} >= {abs(x) for c in clauses for x in c}:
                assert satisfiable
