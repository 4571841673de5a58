"""Common denominators in factored form.

In a polynomial network of depth L a common denominator has 2^L bits, yet it is a product of powers
of a few numbers that stand in the instance and the certificate. Over a coprime base b_0 = 2, b_1, …
(pairwise coprime, so that every given denominator is a product of their powers; Bernstein 2005,
found by gcds alone, nothing is factored) a denominator is a vector of exponents: products add the
vectors, sums take the maximum, and the number itself is never formed (docs/theory.md A1, A8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import gcd, mpz, remove

from ermbit.verifier.evaluation.evaluate import entry_value
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational

Exponents = tuple[int, ...]
"""One exponent ≥ 0 for each number of the base."""


@dataclass(frozen=True)
class CoprimeBase:
    """Pairwise coprime numbers > 1, the first of them 2."""

    numbers: tuple[int, ...]

    @property
    def one(self) -> Exponents:
        """The denominator 1."""
        return (0,) * len(self.numbers)

    def exponents(self, denominator: int) -> Exponents:
        """The exponents of a product of powers of the base.

        Raises:
            ValueError: it is not such a product.
        """
        rest, two = remove(mpz(denominator), mpz(2))
        result = [int(two)]
        for number in self.numbers[1:]:
            if rest == 1:
                result.append(0)
                continue
            rest, k = remove(rest, mpz(number))
            result.append(int(k))
        if rest != 1:
            raise ValueError("the denominator has a factor that the base has not")
        return tuple(result)

    def product(self, exponents: Exponents) -> int:
        """The denominator itself: only for small exponents."""
        value = 1 << exponents[0]
        for number, k in zip(self.numbers[1:], exponents[1:], strict=True):
            value *= number**k
        return value

    def modulo(self, exponents: Exponents, modulus: int) -> int:
        """The denominator modulo a number, by repeated squaring."""
        value = 1
        for number, k in zip(self.numbers, exponents, strict=True):
            if k:
                value = value * pow(number, k, modulus) % modulus
        return value

    def bits(self, exponents: Exponents) -> int:
        """A bound: the denominator is at most 2^bits (equal for a power of two)."""
        return exponents[0] + sum(
            k * number.bit_length()
            for number, k in zip(self.numbers[1:], exponents[1:], strict=True)
        )

    def write(self, exponents: Exponents) -> str:
        """``1``, ``2^5``, ``2^5*21^3``: exact whatever the size."""
        powers = [
            mpz(number).digits() if k == 1 else f"{mpz(number).digits()}^{k}"
            for number, k in zip(self.numbers, exponents, strict=True)
            if k
        ]
        return "*".join(powers) or "1"


def coprime_base(denominators: Iterable[int]) -> CoprimeBase:
    """The base over which all these numbers are products of powers.

    Args:
        denominators: positive numbers.
    """
    pending = [odd for n in set(denominators) if (odd := remove(mpz(n), mpz(2))[0]) > 1]
    base: list[Any] = []
    while pending:
        number = pending.pop()
        for at, known in enumerate(base):
            common = gcd(number, known)
            if common > 1:
                del base[at]
                parts = (common, remove(number, common)[0], remove(known, common)[0])
                pending += [part for part in parts if part > 1]
                break
        else:
            base.append(number)
    return CoprimeBase((2, *sorted(map(int, base))))


def instance_base(instance: Instance, values: Sequence[Rational]) -> CoprimeBase:
    """The base for everything that evaluating or differentiating the loss at θ can meet."""
    found = {int(v.denominator) for v in values}
    # Equal weights of samples are divided by their sum, in lowest terms: w_i / Σ w.
    total = sum(instance.data.weights)
    found.update(int((w / total).denominator) for w in set(instance.data.weights))
    for table in (instance.data.x, instance.data.y):
        found.update(int(v.denominator) for row in table for v in row)
    found.update(int(w.denominator) for w in instance.data.weights)
    found.add(int(instance.loss.margin.denominator))
    if instance.threshold is not None:
        found.add(int(instance.threshold.denominator))
    for neuron in instance.network.neurons:
        for entry in neuron.entries():
            found.add(int(entry.scale.denominator))
            # A scale may cancel a part of a parameter's denominator.
            found.add(int(entry_value(entry, values).denominator))
        activation = neuron.activation
        for group in (
            activation.breakpoints,
            activation.slopes,
            activation.intercepts,
            activation.coefficients,
        ):
            found.update(int(v.denominator) for v in group)
    return coprime_base(found)
