"""What the engine reads of a problem before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from ermbit.engines.lifting.form_system import FormSystem
from ermbit.engines.lifting.linked import LinkedSystem
from ermbit.engines.lifting.outer import Choice, OuterWeights
from ermbit.engines.lifting.relaxation import Relaxation


@dataclass(frozen=True)
class Prepared:
    """A relaxation, and the ways to reach it.

    Attributes:
        relaxation: of the outputs to affine hulls.
        outer: the free outer weights, if there are any.
        choice: inner weights that give these a large rank.
        forms: the network as sums of squares, if it is one.
        linked: the network as such sums without free biases, if it is that.
    """

    relaxation: Relaxation
    outer: OuterWeights | None
    choice: Choice | None
    forms: FormSystem | None
    linked: LinkedSystem | None

    @property
    def is_spanned(self) -> bool:
        """The outer weights reach all of the hulls."""
        wanted = tuple(hull.rank for hull in self.relaxation.hulls)
        return self.choice is not None and self.choice.ranks == wanted

    @property
    def has_all_forms(self) -> bool:
        """The units reach every quadratic form, output by output."""
        if self.forms is None:
            return False
        return self.forms.network.capacity[2] >= self.forms.rank * len(self.forms.fixed)
