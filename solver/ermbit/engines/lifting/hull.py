"""The affine hull of all functions of a polynomial network, on the data (docs/theory.md G1, G7).

On n distinct inputs a neuron is a vector of Q^n. The vectors that it can be lie in p + span(S):

    frozen weight w on p + span(S)      w p + span(w S)
    free weight                         0 + span(p, S)
    sums                                p's add up, S's unite
    φ of degree k                       φ(p) + span of  φ⁽ⁱ⁾(p)/i! · s_1 ⋯ s_i,  1 ≤ i ≤ k,  s ∈ S

The last line is Taylor's, products are taken sample by sample. For parameters that are independent
and can take many values nothing smaller will do; otherwise it is a relaxation. So every output is
p_o + span(S_o), whatever the domains are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.lifting.linear import Column, Vector, independent, primitive, shortened
from ermbit_instances.activation import Activation
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

PRODUCT_LIMIT = 1_000_000
"""Numbers in all products of one neuron."""

BIT_LIMIT = 4_000
"""Bits of a number in a column."""

_ZERO, _ONE = mpq(0), mpq(1)


class TooLarge(Exception):
    """A limit of size is passed; the message says which."""


@dataclass(frozen=True)
class Hull:
    """All that one neuron can be: constant + span of independent integer columns."""

    constant: Vector
    columns: tuple[Column, ...]

    @property
    def rank(self) -> int:
        return len(self.columns)

    @property
    def is_fixed(self) -> bool:
        return not self.columns


def network_hulls(network: Network, inputs: Sequence[Vector]) -> tuple[Hull, ...] | str:
    """The hull of every output on distinct inputs, or why there is none.

    Args:
        network: any network.
        inputs: n distinct rows.
    """
    try:
        return _Propagation(network, inputs).outputs()
    except TooLarge as error:
        return str(error)


def frozen_value(network: Network, entry: Entry) -> Rational | None:
    """The only value of an entry: it is frozen, or its parameter has a single value."""
    if entry.parameter is None:
        return entry.value
    domain = network.parameters[entry.parameter].domain
    if domain.size == 1:
        return entry.scale * next(iter(domain.values()))
    return None


class _Propagation:
    def __init__(self, network: Network, inputs: Sequence[Vector]) -> None:
        self.network, self.count = network, len(inputs)
        self.known: dict[int, Hull] = {
            k: Hull(tuple(row[k] for row in inputs), ()) for k in range(network.input_count)
        }
        self.powers: dict[tuple[object, ...], Hull] = {}

    def outputs(self) -> tuple[Hull, ...] | str:
        for neuron in reached(self.network):
            found = self._neuron(neuron)
            if isinstance(found, str):
                return found
            self.known[neuron.node] = found
        return tuple(self.known[node] for node in self.network.outputs)

    def _neuron(self, neuron: Neuron) -> Hull | str:
        terms = [
            (self.known[source], frozen_value(self.network, entry))
            for source, entry in zip(neuron.sources, neuron.weights, strict=True)
        ]
        one = Hull((_ONE,) * self.count, ())
        bias = None if neuron.bias is None else (one, frozen_value(self.network, neuron.bias))
        activation = neuron.activation
        if activation.kind == "max":
            if any(value is None or not hull.is_fixed for hull, value in terms):
                return "a maximum of free terms"
            rows = [[value * v for v in hull.constant] for hull, value in terms]
            top = [max(column) for column in zip(*rows, strict=True)] or [_ZERO] * self.count
            terms = [(Hull(tuple(top), ()), _ONE)]
        constant = [_ZERO] * self.count
        columns: list[Column] = []
        seen: set[int] = set()
        for hull, value in terms if bias is None else [*terms, bias]:
            if value == 0:
                continue
            if value is None:
                if any(hull.constant):
                    columns.append(primitive(hull.constant)[0])
            else:
                constant = [a + value * b for a, b in zip(constant, hull.constant, strict=True)]
            if id(hull) not in seen:
                seen.add(id(hull))
                columns += hull.columns
        before = Hull(tuple(constant), self._basis(columns))
        return before if activation.kind == "max" else self._activated(before, activation)

    def _activated(self, before: Hull, activation: Activation) -> Hull | str:
        if before.is_fixed:
            return Hull(tuple(mpq(activation(v)) for v in before.constant), ())
        if activation.is_affine:
            slope, offset = activation.slopes[0], activation.intercepts[0]
            columns = before.columns if slope else ()
            return Hull(tuple(slope * v + offset for v in before.constant), columns)
        if activation.kind != "polynomial":
            return f"the activation {activation.name} of free terms"
        key = (activation.coefficients, before)
        if key not in self.powers:
            self.powers[key] = self._power(before, activation.coefficients)
        return self.powers[key]

    def _power(self, before: Hull, coefficients: Sequence[Rational]) -> Hull:
        """Taylor's formula around the constant."""
        found: list[Column] = []
        products: list[Column] = [(1,) * self.count]
        for i in range(1, len(coefficients)):
            if len(products) * before.rank * self.count > PRODUCT_LIMIT:
                raise TooLarge("the products of monomials are too many")
            every = [
                tuple(a * b for a, b in zip(s, t, strict=True))
                for t in products
                for s in before.columns
            ]
            products = list(self._basis(every))
            derivative = taylor(coefficients, i)
            factors = [derivative(p) for p in before.constant]
            if any(factors):
                scaled, _ = primitive(factors)
                found += [tuple(a * b for a, b in zip(scaled, s, strict=True)) for s in products]
        value = taylor(coefficients, 0)
        return Hull(tuple(value(p) for p in before.constant), self._basis(found))

    def _basis(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        listed = [c for c in dict.fromkeys(map(shortened, columns)) if any(c)]
        if any(abs(v).bit_length() > BIT_LIMIT for column in listed for v in column):
            raise TooLarge("the numbers are too long")
        if len(listed) < 2:
            return tuple(listed)
        return tuple(listed[k] for k in independent(listed))


def taylor(coefficients: Sequence[Rational], order: int) -> Callable[[Rational], Rational]:
    """t ↦ φ⁽ⁱ⁾(t)/i! for a polynomial φ."""
    derived = list(coefficients)
    for step in range(1, order + 1):
        derived = [k * c / step for k, c in enumerate(derived)][1:]

    def value(t: Rational) -> Rational:
        result = _ZERO
        for c in reversed(derived):
            result = result * t + c
        return result

    return value


def reached(network: Network) -> list[Neuron]:
    """The neurons that an output depends on, in topological order."""
    wanted = set(network.outputs)
    for neuron in reversed(network.neurons):
        if neuron.node in wanted:
            wanted.update(neuron.sources)
    return [neuron for neuron in network.neurons if neuron.node in wanted]
