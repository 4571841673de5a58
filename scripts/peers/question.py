"""An instance as the peers see it: units, sums of products, pieces, one loss and one budget.

Where every domain has a common denominator all numbers are scaled to integers, unit by unit, so
that integer solvers need no fraction: the value of node u is A_u = scale_u · a_u, a parameter is
P = denominator · θ. Over the reals all scales are 1 and numbers stay rational. Equal samples are
merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from gmpy2 import mpq

from ermbit_instances.domain import Domain
from peers import polynomials
from peers.answer import NotSupported, written

Number = int | Fraction


def count(values: Sequence[Number]) -> int:
    """How many values; the ``len`` of a range has to fit a word."""
    return values.stop - values.start if isinstance(values, range) else len(values)


@dataclass(frozen=True)
class Parameter:
    """A free parameter θ = P / denominator.

    Attributes:
        values: all P, ascending (a range where they are many and without gaps), or None for the
            reals.
        relaxed: the reals stand for this domain, which has too many values for a list. What is
            refuted over the reals is refuted there.
    """

    name: str
    denominator: int
    values: Sequence[Number] | None
    relaxed: Domain | None = None

    def admits(self, value: Number | str) -> bool:
        """Whether a value found over the reals is in the domain; a text is irrational."""
        if self.relaxed is None:
            return True
        return not isinstance(value, str) and mpq(Fraction(value)) in self.relaxed

    @property
    def symmetric(self) -> bool:
        """Whether −P is admissible with every P."""
        v = self.values
        if v is None or isinstance(v, range):
            return v is None or v[0] == -v[-1]
        return all(v[i] == -v[-1 - i] for i in range(-(-len(v) // 2)))


@dataclass(frozen=True)
class Edge:
    """A summand coefficient · P[parameter] · A[source]; what is None stands for 1."""

    coefficient: Number
    parameter: int | None
    source: int | None


@dataclass(frozen=True)
class Unit:
    """A neuron: Z = Σ edges, A = φ(Z) in scaled numbers.

    If ``maximum``, Z is the greatest of the edges that have a source, plus those that have none
    (the bias).

    φ is a polynomial with ``coefficients`` from degree 0 on, or, if these are empty, slope_k Z +
    intercept_k on [breakpoint_k, breakpoint_{k+1}), the first piece from −∞ and the last to ∞. In
    integers coefficients and breakpoints are integers.
    """

    node: int
    edges: tuple[Edge, ...]
    activation: str
    breakpoints: tuple[Number, ...] = ()
    slopes: tuple[Number, ...] = ()
    intercepts: tuple[Number, ...] = ()
    coefficients: tuple[Number, ...] = ()
    maximum: bool = False

    @property
    def compared(self) -> tuple[Edge, ...]:
        """The edges of which a maximum is taken; none for a unit that adds up."""
        return tuple(e for e in self.edges if e.source is not None) if self.maximum else ()

    @property
    def added(self) -> tuple[Edge, ...]:
        """The edges that are added up."""
        return tuple(e for e in self.edges if e.source is None) if self.maximum else self.edges

    @property
    def constants(self) -> bool:
        """Whether φ takes finitely many values."""
        return not self.coefficients and not any(self.slopes)

    @property
    def homogeneous(self) -> bool:
        """Whether φ(t z) = t^k φ(z) for t ≥ 0 and some k ≥ 1; maxima are homogeneous too."""
        if self.coefficients:
            return sum(c != 0 for c in self.coefficients) == 1 and self.coefficients[0] == 0
        return not any(self.intercepts) and not any(self.breakpoints)

    def even(self) -> bool:
        """Whether φ(−z) = φ(z)."""
        if self.coefficients:
            return polynomials.is_even(self.coefficients)
        return self.activation == "abs"

    def odd(self) -> bool:
        """Whether φ is a polynomial with φ(−z) = −φ(z)."""
        return bool(self.coefficients) and polynomials.is_odd(self.coefficients)


@dataclass(frozen=True)
class Sample:
    """A sample of a merged data set: number of its input row, targets or label, weight."""

    row: int
    y: tuple[Number, ...]
    weight: Number


@dataclass(frozen=True)
class Question:
    """An instance in the form above.

    Attributes:
        integral: whether all numbers are integers.
        rows: distinct inputs, scaled; R × d.
        outputs: (node, factor): the scaled output is F = factor · A[node]; all share one scale.
        unit: what 1 in a scaled output stands for: F = unit · f.
        denominator: L = total / denominator, total the sum (or maximum) of weight · scaled loss.
        margin: a score is right if it is ≥ margin; None: if it is > 0.
        threshold: γ, or None.
        classes: of each class of interchangeable units, their incoming parameters, unit by unit.
        flips: first incoming weights whose sign is free (even activations, and odd polynomials
            whose readers can change theirs).
    """

    name: str
    integral: bool
    parameters: tuple[Parameter, ...]
    rows: tuple[tuple[Number, ...], ...]
    units: tuple[Unit, ...]
    outputs: tuple[tuple[int, Number], ...]
    samples: tuple[Sample, ...]
    loss: str
    maximum: bool
    unit: int
    margin: Number | None
    denominator: Fraction
    threshold: Fraction | None
    classes: tuple[tuple[tuple[int, ...], ...], ...]
    flips: tuple[int, ...]

    @property
    def inputs(self) -> int:
        return len(self.rows[0])

    @property
    def loss_unit(self) -> int:
        """Scaled loss of one sample for a loss of 1."""
        return {"zero_one": 1, "squared": self.unit**2}.get(self.loss, self.unit)

    @property
    def polynomial(self) -> bool:
        """Whether some activation is a polynomial."""
        return any(unit.coefficients for unit in self.units)

    @property
    def classification(self) -> bool:
        return self.loss in ("hinge", "zero_one")

    def budget(self) -> Number:
        """The greatest total that meets the threshold (an integer where all is)."""
        if self.threshold is None:
            raise NotSupported("an instance without a threshold")
        limit = self.threshold * self.denominator
        return floor(limit) if self.integral else limit

    def loss_of(self, total: Number) -> Fraction:
        """L in units of the instance."""
        return Fraction(total) / self.denominator

    def scores(self, sample: Sample) -> Iterator[tuple[tuple[int, int], ...]]:
        """Each score as a sum of (output number, sign); all must be large for the label."""
        label = int(sample.y[0])
        if len(self.outputs) == 1:
            yield ((0, label),)
            return
        for other in range(len(self.outputs)):
            if other != label:
                yield ((label, 1), (other, -1))

    def certificate(self, values: Sequence[Number | str]) -> dict[str, int | str]:
        """Values P by parameter number → θ by name; a text is an algebraic number."""
        return {
            p.name: v if isinstance(v, str) else written(Fraction(v) / p.denominator)
            for p, v in zip(self.parameters, values, strict=True)
        }
