"""Values that flow through the network on one sample, and the activations that make them.

A signal is a constant, one of finitely many constants chosen by literals (``Levels``, from step,
sign and other piecewise constant activations), or an arithmetic term.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from gmpy2 import mpq

from ermbit_encodings.mixed.program import (
    MixedProgram,
    NotLinearError,
    Polynomial,
    add,
    constant,
    constant_value,
    multiply,
    scale,
    subtract,
    variable,
)
from ermbit_instances.activation import Activation
from ermbit_instances.rational import Rational

Interval: TypeAlias = "tuple[Rational | None, Rational | None]"
"""Known bounds of a pre-activation, ``None`` for unbounded."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Exactly one literal is true and names the value."""

    literals: tuple[int, ...]
    values: tuple[Rational, ...]


Signal: TypeAlias = "Polynomial | Levels"


def as_term(program: MixedProgram, signal: Signal) -> Polynomial:
    """The signal as an arithmetic term; levels get an unknown."""
    if not isinstance(signal, Levels):
        return signal
    unknown = variable(program.real())
    for literal, value in zip(signal.literals, signal.values, strict=True):
        program.equal(unknown, constant(value), (literal,))
    program.at_most(constant(min(signal.values)), unknown)
    program.at_most(unknown, constant(max(signal.values)))
    return unknown


def levels_times(program: MixedProgram, levels: Levels, term: Polynomial) -> Polynomial:
    """level · term as a conditional linear term."""
    value = constant_value(term)
    if value is not None:
        scaled = Levels(levels.literals, tuple(v * value for v in levels.values))
        return as_term(program, scaled)
    term = program.name(term)
    result = variable(program.real())
    for literal, value in zip(levels.literals, levels.values, strict=True):
        program.equal(result, scale(term, value), (literal,))
    return result


def apply_pieces(
    program: MixedProgram,
    activation: Activation,
    z: Polynomial,
    bounds: Interval = (None, None),
    gain: Polynomial | None = None,
) -> Signal:
    """φ of a piecewise linear activation, or G·φ(z/G) if a gain G > 0 is given.

    Args:
        program: gets the constraints.
        activation: a piecewise linear activation.
        z: the pre-activation, already multiplied by the gain.
        bounds: what is known of z (of the true one; ignored where a gain is given).
        gain: the unknown factor G of a homogenised neuron.

    The pieces on both sides of a breakpoint may share it where φ is continuous there; at a jump
    the lower one is open.
    """
    unit = constant(mpq(1)) if gain is None else gain
    value = constant_value(z)
    if value is not None and gain is None:
        return constant(activation(value))
    pieces = [
        k
        for k in range(len(activation.slopes))
        if gain is not None or _meets(activation, k, bounds)
    ]
    if len(pieces) == 1:
        return _line(activation, pieces[0], z, unit)
    z = program.name(z)
    literals = _piece_literals(program, activation, pieces, z, unit)
    if gain is None and all(activation.slopes[k] == 0 for k in pieces):
        return Levels(literals, tuple(activation.intercepts[k] for k in pieces))
    out = variable(program.real())
    lines = [_line(activation, k, z, unit) for k in pieces]
    slopes = [activation.slopes[k] for k in pieces]
    # A convex φ lies above each of its lines, a concave one below. Then the chosen line need only
    # hold φ from the other side: half the guarded rows, and a tighter program without them.
    convex = activation.is_continuous and slopes == sorted(slopes)
    concave = activation.is_continuous and slopes == sorted(slopes, reverse=True)
    for literal, line in zip(literals, lines, strict=True):
        if convex:
            program.at_most(line, out)
            program.at_most(out, line, (literal,))
        elif concave:
            program.at_most(out, line)
            program.at_most(line, out, (literal,))
        else:
            program.equal(out, line, (literal,))
    return out


def _meets(activation: Activation, k: int, bounds: Interval) -> bool:
    low, high = bounds
    points = activation.breakpoints
    starts_above = k > 0 and high is not None and high < points[k - 1]
    ends_below = k < len(points) and low is not None and low >= points[k]
    return not (starts_above or ends_below)


def _line(activation: Activation, k: int, z: Polynomial, unit: Polynomial) -> Polynomial:
    return add(scale(z, activation.slopes[k]), scale(unit, activation.intercepts[k]))


def _piece_literals(
    program: MixedProgram,
    activation: Activation,
    pieces: list[int],
    z: Polynomial,
    unit: Polynomial,
) -> tuple[int, ...]:
    """One literal a piece, exactly one of them true, each with the rows that say where z is."""
    # above[i]: z is at or beyond the breakpoint between pieces[i] and pieces[i + 1].
    above = []
    for k in pieces[1:]:
        literal = program.boolean()
        point = activation.breakpoints[k - 1]
        edge = scale(unit, point)
        program.at_most(edge, z, (literal,))
        joined = (
            activation.slopes[k - 1] * point + activation.intercepts[k - 1]
            == activation.slopes[k] * point + activation.intercepts[k]
        )
        program.require(subtract(z, edge), "<=" if joined else "<", (-literal,))
        above.append(literal)
    for low, high in pairwise(above):
        program.clause(low, -high)
    literals = [-above[0]]
    for low, high in pairwise(above):
        inside = program.boolean()
        program.clause(-inside, low)
        program.clause(-inside, -high)
        program.clause(inside, -low, high)
        literals.append(inside)
    literals.append(above[-1])
    return tuple(literals)


def apply_polynomial(
    program: MixedProgram, activation: Activation, z: Polynomial, *, products: bool
) -> Polynomial:
    """φ of a polynomial activation: a product of unknowns unless z is constant.

    Raises:
        NotLinearError: a product where none is allowed.
    """
    value = constant_value(z)
    if value is not None:
        return constant(activation(value))
    if not products:
        raise NotLinearError("a polynomial activation of degree 2 or more is not linear")
    z = program.name(z)
    result: Polynomial = {}
    for c in reversed(activation.coefficients):
        result = add(multiply(result, z), constant(c))
    out = variable(program.real())
    program.equal(out, result)
    return out


def apply_maximum(program: MixedProgram, terms: list[Polynomial]) -> Polynomial:
    """The maximum of terms: at least each of them and equal to a chosen one."""
    if not terms:
        return {}
    if len(terms) == 1:
        return terms[0]
    values = [constant_value(t) for t in terms]
    if all(v is not None for v in values):
        return constant(max(v for v in values if v is not None))
    out = variable(program.real())
    literals = [program.boolean() for _ in terms]
    program.exactly_one(literals)
    for literal, term in zip(literals, terms, strict=True):
        program.at_most(term, out)
        program.at_most(out, term, (literal,))
    return out
