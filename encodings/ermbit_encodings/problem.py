"""The problem as the engines get it: one object with every derived form, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from ermbit_encodings.integer_form import IntegerForm, integer_form
from ermbit_encodings.ranges import SampleRanges, parameter_ranges, sample_ranges
from ermbit_encodings.samples import Samples, gather_samples
from ermbit_encodings.symmetry import Symmetry, neuron_symmetries
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational


@dataclass(frozen=True)
class Problem:
    """An instance with its derived forms.

    Attributes:
        instance: the question, with its threshold (``None`` only under ``minimize``).
        relaxation_of: the problem whose domains were widened to make this one, if any. Only its
            symmetries may be broken: two domains that differ can be widened to the same one.
    """

    instance: Instance
    relaxation_of: Problem | None = None

    def __getstate__(self) -> dict[str, object]:
        # Derived forms are cheap to compute and dear to send to another process.
        return {"instance": self.instance, "relaxation_of": self.relaxation_of}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)

    @cached_property
    def samples(self) -> Samples:
        """Merged samples with integer weights."""
        return gather_samples(self.instance)

    @cached_property
    def integer(self) -> IntegerForm | None:
        """The scaled-integer normal form, ``None`` where a parameter has no grid."""
        return integer_form(self.instance, self.samples)

    @cached_property
    def ranges(self) -> tuple[SampleRanges, ...]:
        """Ranges per sample of the integer form."""
        form = self.integer
        assert form is not None
        parameters = parameter_ranges(form)
        return tuple(sample_ranges(form, i, parameters) for i in range(len(form.inputs)))

    @cached_property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Interchanges of neurons that leave the question unchanged."""
        if self.relaxation_of is not None:
            return self.relaxation_of.symmetries
        return neuron_symmetries(self.instance.network)

    @cached_property
    def assignments(self) -> int | None:
        """Number of parameter assignments, ``None`` for infinitely many."""
        sizes = [p.domain.size for p in self.instance.network.parameters]
        return None if any(s is None for s in sizes) else prod(s for s in sizes if s is not None)

    @property
    def threshold(self) -> Rational:
        """γ; only to be asked for under ``solve``."""
        assert self.instance.threshold is not None
        return self.instance.threshold

    @property
    def is_piecewise_linear(self) -> bool:
        """No activation is a polynomial of degree ≥ 2."""
        return all(y.activation.kind != "polynomial" for y in self.instance.network.layers)

    def with_threshold(self, threshold: Rational) -> Problem:
        """The same problem with another γ."""
        widened = self.relaxation_of
        return Problem(
            self.instance.with_threshold(threshold),
            None if widened is None else widened.with_threshold(threshold),
        )
