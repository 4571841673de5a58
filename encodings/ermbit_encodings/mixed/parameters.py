"""Parameters as unknowns: real unknowns, or Booleans that choose a value of a finite domain.

A chosen value times an arithmetic term is a *conditional linear term*: under each choice the
product is a multiple of the term, so no product of two unknowns is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_encodings.mixed.program import (
    MixedProgram,
    NotLinearError,
    Polynomial,
    add,
    constant,
    constant_value,
    scale,
    variable,
)
from ermbit_instances.domain import Domain, FiniteDomain, IntegerDomain
from ermbit_instances.rational import Rational

ONE_HOT_LIMIT = 8
"""Contiguous domains of more values than this are chosen by bits."""

LISTED_LIMIT = 1024
"""Domains that are not contiguous are chosen one-hot up to this many values."""


@dataclass(frozen=True, slots=True)
class RealParameter:
    """An unconstrained real unknown."""

    unknown: int


@dataclass(frozen=True, slots=True)
class ListedParameter:
    """Exactly one literal is true and names the value; ``unknown`` carries it in rows."""

    literals: tuple[int, ...]
    values: tuple[Rational, ...]
    unknown: int


@dataclass(frozen=True, slots=True)
class BinaryParameter:
    """low + Σ steps_i · bit_i, where unknown i equals steps_i · bit_i."""

    low: Rational
    bits: tuple[int, ...]
    steps: tuple[Rational, ...]
    unknowns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FixedParameter:
    """A domain of one value."""

    value: Rational


Unknown = RealParameter | ListedParameter | BinaryParameter | FixedParameter


def declare(program: MixedProgram, domain: Domain) -> Unknown:
    """Introduce a parameter with its unknowns and their constraints.

    Raises:
        NotLinearError: a finite domain too large to choose from.
    """
    if domain.size is None:
        return RealParameter(program.real())
    if domain.size == 1:
        assert domain.low is not None
        return FixedParameter(domain.low)
    step = _step(domain)
    if step is not None and domain.size > ONE_HOT_LIMIT and domain.size <= 2**64:
        return _binary(program, domain, step)
    if domain.size <= LISTED_LIMIT:
        return _listed(program, tuple(domain.values()))
    raise NotLinearError(f"a domain of {domain.size} values is too large to choose from")


def _step(domain: Domain) -> Rational | None:
    """The common difference of a domain that is an arithmetic progression."""
    if isinstance(domain, IntegerDomain):
        return mpq(1, domain.denominator)
    if isinstance(domain, FiniteDomain) and len(domain.listed) > 1:
        step = domain.listed[1] - domain.listed[0]
        if all(b - a == step for a, b in zip(domain.listed, domain.listed[1:], strict=False)):
            return step
    return None


def _listed(program: MixedProgram, values: tuple[Rational, ...]) -> ListedParameter:
    if len(values) == 2:
        first = program.boolean()
        literals: tuple[int, ...] = (first, -first)
    else:
        literals = tuple(program.boolean() for _ in values)
        program.exactly_one(literals)
    unknown = program.real()
    for literal, value in zip(literals, values, strict=True):
        program.equal(variable(unknown), constant(value), (literal,))
    program.at_most(constant(values[0]), variable(unknown))
    program.at_most(variable(unknown), constant(values[-1]))
    return ListedParameter(literals, values, unknown)


def _binary(program: MixedProgram, domain: Domain, step: Rational) -> BinaryParameter:
    assert domain.size is not None and domain.low is not None
    top = domain.size - 1
    bits = tuple(program.boolean() for _ in range(top.bit_length()))
    # index ≤ top: at each zero bit of top, that bit is false unless a higher one is below top's.
    higher: list[int] = []
    for i in reversed(range(len(bits))):
        if top >> i & 1:
            higher.append(-bits[i])
        else:
            program.clause(-bits[i], *higher)
    steps, unknowns = [], []
    for i, bit in enumerate(bits):
        size = step * (1 << i)
        unknown = program.real()
        program.equal(variable(unknown), constant(size), (bit,))
        program.equal(variable(unknown), {}, (-bit,))
        program.at_most({}, variable(unknown))
        program.at_most(variable(unknown), constant(size))
        steps.append(size)
        unknowns.append(unknown)
    return BinaryParameter(domain.low, bits, tuple(steps), tuple(unknowns))


def expression(parameter: Unknown) -> Polynomial:
    """The parameter's value as a linear term."""
    if isinstance(parameter, FixedParameter):
        return constant(parameter.value)
    if isinstance(parameter, BinaryParameter):
        return add(constant(parameter.low), *(variable(u) for u in parameter.unknowns))
    return variable(parameter.unknown)


def product(program: MixedProgram, parameter: Unknown, term: Polynomial) -> Polynomial | None:
    """parameter · term as a linear term, or ``None`` if that is a product of two unknowns.

    A constant term or a fixed parameter needs nothing; a chosen one gives conditional terms.
    """
    value = constant_value(term)
    if value is not None:
        return scale(expression(parameter), value)
    if isinstance(parameter, FixedParameter):
        return scale(term, parameter.value)
    if isinstance(parameter, RealParameter):
        return None
    term = program.name(term)
    if isinstance(parameter, ListedParameter):
        result = variable(program.real())
        for literal, chosen in zip(parameter.literals, parameter.values, strict=True):
            program.equal(result, scale(term, chosen), (literal,))
        return result
    parts = [scale(term, parameter.low)]
    for bit, size in zip(parameter.bits, parameter.steps, strict=True):
        part = variable(program.real())
        program.equal(part, scale(term, size), (bit,))
        program.equal(part, {}, (-bit,))
        parts.append(part)
    return add(*parts)
