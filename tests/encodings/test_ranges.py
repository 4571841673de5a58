"""Interval propagation holds every value that any θ produces."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import random_instances
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, integer_domain
from ermbit_encodings.problem import Problem
from ermbit_encodings.ranges import activation_range
from ermbit_instances.instance import parse_instance


def signals(form: IntegerForm, sample: int, parameters: list[int]) -> list[tuple[int, int]]:
    """(Z, A) of every neuron, by the definition."""
    values = list(form.inputs[sample])
    found = []
    for neuron in form.neurons:
        terms = [
            t.factor
            * (1 if t.parameter < 0 else parameters[t.parameter])
            * (1 if t.source < 0 else values[t.source])
            for t in neuron.terms
        ]
        z = max(terms, default=0) if neuron.kind == "max" else sum(terms)
        if neuron.bias is not None:
            b = neuron.bias
            z += b.factor * (1 if b.parameter < 0 else parameters[b.parameter])
        a = neuron.activate(z)
        found.append((z, a))
        values.append(a)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_every_value_lies_in_its_range(seed: int) -> None:
    instance = parse_instance(
        random_instances.random_instance(random.Random(seed), max_assignments=200)
    )
    problem = Problem(instance)
    form = problem.integer
    if form is None:
        return
    domains = [integer_domain(form, i) for i in range(len(form.grids))]
    for chosen in itertools.product(*domains):
        parameters = list(chosen)
        for i, ranges in enumerate(problem.ranges):
            for (z, a), before, after in zip(
                signals(form, i, parameters), ranges.pre_activation, ranges.output, strict=True
            ):
                assert before[0] <= z <= before[1]
                assert after[0] <= a <= after[1]
            for f, (low, high) in zip(
                form.outputs_of(form.inputs[i], parameters), ranges.final, strict=True
            ):
                assert low <= f <= high


small = st.integers(-9, 9)


@st.composite
def piecewise(draw: st.DrawFn) -> IntegerNeuron:
    points = sorted(draw(st.lists(small, max_size=3)))  # equal ones make empty pieces
    pieces = [(draw(small), draw(small)) for _ in range(len(points) + 1)]
    return IntegerNeuron(
        0, 1, 1, (), None, "piecewise_linear", tuple(points), pieces=tuple(pieces)
    )


@given(piecewise(), small, st.integers(0, 12))
def test_piecewise_ranges_are_exact(neuron: IntegerNeuron, low: int, width: int) -> None:
    values = [neuron.activate(z) for z in range(low, low + width + 1)]
    assert activation_range(neuron, (low, low + width)) == (min(values), max(values))


@given(st.lists(small, min_size=1, max_size=5), small, st.integers(0, 12))
def test_polynomial_ranges_hold_all_values(coefficients: list[int], low: int, width: int) -> None:
    neuron = IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=tuple(coefficients))
    least, greatest = activation_range(neuron, (low, low + width))
    for z in range(low, low + width + 1):
        assert least <= neuron.activate(z) <= greatest


@given(st.integers(1, 6), small, st.integers(0, 12))
def test_single_powers_are_tight(k: int, low: int, width: int) -> None:
    neuron = IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=(0,) * k + (1,))
    least, greatest = activation_range(neuron, (low, low + width))
    values = [z**k for z in range(low, low + width + 1)]
    assert greatest == max(values)
    assert least == min(values)
