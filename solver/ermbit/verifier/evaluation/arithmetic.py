"""The arithmetic that evaluation runs in, as an argument.

Evaluating a network and differentiating its loss take +, −, ×, constants, and the sign of a number
where an activation or a loss has pieces. Everything in :mod:`~ermbit.verifier.evaluation.evaluate`,
:mod:`~ermbit.verifier.evaluation.sample_loss` and
:mod:`~ermbit.verifier.evaluation.backpropagation` is written once in these terms, and runs over
exact numbers (here), balls, and residues.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sign was asked for.

    Attributes:
        where: a neuron's label, ``"loss"``, or ``"threshold"`` for the comparison with γ.
        sample: index of the sample, from 0; −1 where all samples are meant.
    """

    where: str
    sample: int

    def __str__(self) -> str:
        at = "" if self.sample < 0 else f", sample {self.sample}"
        named = self.where if self.where in ("loss", "threshold") else f"neuron {self.where}"
        return f"{named}{at}"


class OutOfTime(ArithmeticError):
    """The deadline has passed."""


def check_time(deadline: float | None) -> None:
    """Raise :class:`OutOfTime` past a deadline by the monotonic clock, in seconds."""
    if deadline is not None and time.monotonic() > deadline:
        raise OutOfTime("time limit")


class Arithmetic(Protocol):
    """Numbers with +, −, × between them."""

    def constant(self, value: Rational) -> Any:
        """The number that stands for a rational."""

    def sign(self, value: Any, place: Place) -> int:
        """−1, 0 or 1.

        Raises:
            Straddle: the arithmetic cannot tell.
        """


class ExactArithmetic:
    """Rationals as they are. Elements of one real number field may be mixed in."""

    def constant(self, value: Rational) -> Any:
        return value

    def sign(self, value: Any, place: Place) -> int:
        return int(value > 0) - int(value < 0)


EXACT = ExactArithmetic()
