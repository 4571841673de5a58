"""How large the formula of an instance will be, before building it."""

from __future__ import annotations

from collections.abc import Sequence

from ermbit_encodings.circuit.columns import signed_digits
from ermbit_encodings.circuit.word import width_of
from ermbit_encodings.cnf_encoding import grid_problem
from ermbit_encodings.cnf_network import FLOAT_VALUES
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm
from ermbit_encodings.problem import Problem
from ermbit_encodings.ranges import Range, parameter_ranges, sample_ranges
from ermbit_instances.domain import IntegerDomain
from ermbit_instances.float_domain import FloatDomain

PROBED_ROWS = 8
"""Samples that are measured; the others are taken to be like them."""

PROBED_EDGES = 20_000
"""Networks with more edges than this are only counted, not measured."""

_ADDER = 14  # clauses of a full adder
_AND = 3
_MUX = 6
_COARSE = 1000  # clauses of one product of words of some eight bits, with its additions


def estimate_clauses(problem: Problem) -> float:
    """About how many clauses :func:`~ermbit_encodings.cnf_encoding.encode_cnf` will make.

    Within a small factor, more often too many than too few: shared gates are counted again for
    every sample. Infinite for instances that cannot be encoded. Takes milliseconds.
    """
    network = problem.instance.network
    rows = len(problem.samples.rows)
    if network.edge_count > PROBED_EDGES:
        return float(_COARSE) * network.edge_count * rows
    finite = grid_problem(problem)
    form = None if finite is None else finite.integer
    if form is None:
        return float("inf")
    parameters = parameter_ranges(form)
    total = sum(_parameter(form, i, r) for i, r in enumerate(parameters))
    chosen = range(0, rows, max(1, -(-rows // PROBED_ROWS)))
    measured = sum(_row(form, i, parameters) for i in chosen)
    return total + measured * rows / max(1, len(chosen))


def _width(r: Range) -> int:
    return 0 if r[0] == r[1] else width_of(*r)


def _parameter(form: IntegerForm, index: int, r: Range) -> float:
    domain = form.instance.network.parameters[index].domain
    width = _width(r)
    if isinstance(domain, IntegerDomain):
        return width
    if isinstance(domain, FloatDomain) and domain.size > FLOAT_VALUES:
        return _MUX * width * width.bit_length()
    assert domain.size is not None
    return domain.size * min(_MUX, width)


def _row(form: IntegerForm, sample: int, parameters: Sequence[Range]) -> float:
    ranges = sample_ranges(form, sample, parameters)
    signals: list[Range] = [(v, v) for v in form.inputs[sample]]
    total = 0.0
    for neuron, z, a in zip(form.neurons, ranges.pre_activation, ranges.output, strict=True):
        terms = [*neuron.terms, *(() if neuron.bias is None else (neuron.bias,))]
        total += sum(_term(form, t, signals, parameters) for t in terms)
        total += _activation(neuron, z, a)
        signals.append(a)
    squared = form.instance.loss.name == "squared"
    for final in ranges.final:
        width = _width(final)
        total += 3 * _ADDER * width + (_ADDER * width * width if squared else 0)
    return total


def _term(
    form: IntegerForm, term: IntegerTerm, signals: Sequence[Range], parameters: Sequence[Range]
) -> float:
    signal = (1, 1) if term.source < 0 else signals[term.source]
    parameter = (1, 1) if term.parameter < 0 else parameters[term.parameter]
    if signal[0] == signal[1] or parameter[0] == parameter[1]:
        if signal[0] == signal[1]:
            constant, word = signal[0], parameter
        else:
            constant, word = parameter[0], signal
        return _ADDER * len(signed_digits(term.factor * constant)) * _width(word)
    p, s = _width(parameter), _width(signal)
    if term.parameter >= 0:
        domain = form.instance.network.parameters[term.parameter].domain
        if isinstance(domain, FloatDomain) and domain.size > FLOAT_VALUES:
            bits = domain.format.mantissa + 2
            product = (_ADDER + _AND) * bits * s
            return product + (_MUX * p.bit_length() + _ADDER) * (p + s)
    return (_ADDER + _AND) * min(p, s) * max(p, s)


def _activation(neuron: IntegerNeuron, z: Range, a: Range) -> float:
    width = max(_width(z), _width(a))
    if neuron.kind == "max":
        return 2 * _MUX * width * len(neuron.terms)
    if neuron.kind == "polynomial":
        degree = len(neuron.coefficients) - 1
        base = _width(z)
        powers = sum((k // 2) * (k - k // 2) * base * base for k in range(2, degree + 1))
        return (_ADDER + _AND) * (powers + degree * width)
    return (2 * _MUX + _ADDER) * width * len(neuron.breakpoints) if neuron.breakpoints else 0.0
