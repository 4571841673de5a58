"""Rational linear equations: solutions by construction, contradictions, open unknowns."""

from __future__ import annotations

from typing import Any

from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from ermbit_instances.linear_equations import solve

SMALL = st.builds(mpq, st.integers(-3, 3), st.integers(1, 3))


@given(st.lists(st.lists(SMALL, min_size=3, max_size=3), min_size=1, max_size=5), st.data())
def test_solutions_and_contradictions(rows: list[list[Any]], draw: st.DataObject) -> None:
    def times(v: list[Any]) -> list[Any]:
        return [sum((a * b for a, b in zip(row, v, strict=True)), mpq(0)) for row in rows]

    hidden = draw.draw(st.lists(SMALL, min_size=3, max_size=3))
    found = solve(rows, times(hidden))
    assert found is not None and times(found) == times(hidden)
    # A combination of the rows with another value contradicts them.
    factors = draw.draw(st.lists(SMALL, min_size=len(rows), max_size=len(rows)))
    row = [sum((c * r[k] for c, r in zip(factors, rows, strict=True)), mpq(0)) for k in range(3)]
    target = sum((a * b for a, b in zip(row, hidden, strict=True)), mpq(0))
    assert solve([*rows, row], [*times(hidden), target + 1]) is None
    assert solve([row, *rows], [target, *times(hidden)]) is not None


@given(st.lists(st.lists(SMALL, min_size=3, max_size=3), max_size=4), st.data())
def test_a_solution_is_kept(rows: list[list[Any]], draw: st.DataObject) -> None:
    """Guesses that solve the equations are what is found, whatever stays open."""
    guesses = draw.draw(st.lists(SMALL, min_size=3, max_size=3))
    right = [sum((a * b for a, b in zip(row, guesses, strict=True)), mpq(0)) for row in rows]
    assert solve(rows, right, guesses) == guesses


def test_no_unknowns() -> None:
    assert solve([[], []], [mpq(0), mpq(0)], []) == []
    assert solve([[]], [mpq(1)], []) is None
    assert solve([], [], [mpq(2)]) == [2]
