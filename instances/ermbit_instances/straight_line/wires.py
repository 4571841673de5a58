"""Wires as linear forms over the neurons of a growing network.

A wire is Σ c_s · s over the input x0 and neurons s, so additions and subtractions cost no neuron.
A wire that has become long (:data:`FORM_TERMS`, :data:`FORM_BITS`) is given an identity neuron of
its own and is one term from then on; so a program of n instructions makes a network of size O(n)
for a fixed polynomial, whatever the program does.

All constants are multiples of the input: no neuron has a bias. If x0 = 0, every wire is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.errors import LimitError
from ermbit_instances.rational import Rational, bit_length, write_rational
from ermbit_instances.straight_line.products import Quadratic, activation_document

Form = Mapping[str, Rational]
"""A linear form: coefficients ≠ 0 by source. The empty form is 0."""

FORM_TERMS = 32
"""Terms of the longest wire that gets no neuron of its own."""

FORM_BITS = 512
"""Bits of the longest coefficient of such a wire."""

EDGE_LIMIT = 2_000_000
"""Edges and biases of the largest network that is built."""


def combination(*terms: tuple[Rational, Form]) -> dict[str, Rational]:
    """Σ factor · form, without zero coefficients, in order of first occurrence."""
    total: dict[str, Rational] = {}
    for factor, form in terms:
        for source, coefficient in form.items():
            total[source] = total.get(source, mpq(0)) + factor * coefficient
    return {source: c for source, c in total.items() if c != 0}


class Wiring:
    """A growing list of neurons with the gates of one activation.

    Equal activations of equal forms are one neuron. Names come from the caller, distinct ones for
    distinct calls; neurons are called NAME.p0, NAME.m0, … (the shifts of a product) and NAME.value
    (a carried wire).

    Attributes:
        gate: the quadratic that the activation makes.
        one: the form whose value on the main sample is 1.
        neurons: elements of the ``neurons`` list of an instance file, in topological order, with
            rational weights not yet written.
        gatewise: every wire is one neuron with coefficient 1, so few distinct weights occur.
    """

    def __init__(self, gate: Quadratic, one: Form, *, gatewise: bool = False) -> None:
        self.gate = gate
        self.one = dict(one)
        self.gatewise = gatewise
        self.neurons: list[tuple[str, Form, str]] = []
        self._known: dict[tuple[tuple[str, Rational], ...], Form] = {}
        self._edges = 0

    def carry(self, name: str, form: Form) -> Form:
        """An identity neuron with this value."""
        self._add(name, form, "identity")
        return {name: mpq(1)}

    def wire(self, name: str, form: Form) -> Form:
        """The form itself, or an identity neuron that carries it where it has become long."""
        if self.gatewise:
            short = not form or (len(form) == 1 and "x0" not in form and set(form.values()) == {1})
        else:
            short = len(form) <= FORM_TERMS and all(
                bit_length(c) <= FORM_BITS for c in form.values()
            )
        return form if short else self.carry(f"{name}.value", form)

    def product(self, name: str, a: Form, b: Form) -> Form:
        """The form of a·b: at most 2(d−1) neurons with the activation, d its degree.

        A square takes d − 1, and d − 1 more that all squares share. If a factor is the empty form,
        so is the product.
        """
        gate = self.gate
        if not a or not b:
            return {}
        if a == b and not self.gatewise:
            # a² = (Q(a) − Q(0) − B a) / A
            plus, minus = self._quadratic(name, "p", a), self._quadratic(name, "m", {})
            form = combination((1 / gate.a, plus), (-1 / gate.a, minus), (-gate.b / gate.a, a))
        else:
            # ab = (Q(a+b) − Q(a−b) − 2B b) / 4A
            one = mpq(1)
            plus = self._quadratic(name, "p", combination((one, a), (one, b)))
            minus = self._quadratic(name, "m", combination((one, a), (-one, b)))
            scale = 1 / (4 * gate.a)
            form = combination((scale, plus), (-scale, minus), (-2 * gate.b * scale, b))
        return self.wire(name, form)

    def _quadratic(self, name: str, sign: str, u: Form) -> Form:
        """Q(u), up to a constant that is the same for every u."""
        terms = []
        for j, weight in enumerate(self.gate.weights):
            shifted = combination((mpq(1), u), (mpq(j), self.one))
            terms.append((mpq(weight), self._activation(f"{name}.{sign}{j}", shifted)))
        return combination(*terms)

    def _activation(self, name: str, form: Form) -> Form:
        if not form and self.gate.vanishes_at_zero:
            return {}
        key = tuple(sorted(form.items()))
        if key not in self._known:
            self._add(name, form, "activation")
            self._known[key] = {name: mpq(1)}
        return self._known[key]

    def _add(self, name: str, form: Form, kind: str) -> None:
        self._edges += len(form) + 1
        if len(self.neurons) == limits.UNITS.value:
            raise LimitError(f"the network has more than the limit of {limits.UNITS.value} neurons")
        if self._edges > EDGE_LIMIT:
            raise LimitError(f"the network has more than the limit of {EDGE_LIMIT} edges")
        self.neurons.append((name, form, kind))

    def neuron_documents(self, names: Mapping[Rational, str] | None = None) -> list[dict[str, Any]]:
        """The ``neurons`` list; weights are frozen, or shared parameters with these names."""
        activation = activation_document(self.gate.coefficients)
        return [
            {
                "id": name,
                "inputs": {
                    source: write_rational(c) if names is None else {"param": names[c]}
                    for source, c in form.items()
                },
                "bias": 0,
                "activation": activation if kind == "activation" else "identity",
            }
            for name, form, kind in self.neurons
        ]

    def weights(self) -> list[Rational]:
        """The distinct weights, ascending."""
        return sorted({c for _, form, _ in self.neurons for c in form.values()})
