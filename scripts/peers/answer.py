"""What a peer says of an instance, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

STATUSES = ("sat", "unsat", "optimal", "infimum", "feasible", "unknown", "unsupported")


class NotSupported(Exception):
    """The peer has no natural encoding of this instance; the text says of what."""


@dataclass(frozen=True)
class Answer:
    """The end of a run.

    Attributes:
        status: one of ``STATUSES``; ``sat``, ``unsat`` of deciding, ``optimal``, ``infimum``,
            ``feasible`` of minimising.
        loss: the loss that the peer claims for ``parameters``, in units of the instance.
        bound: no θ has a smaller loss, as the peer claims.
        parameters: name → value, as certificates spell them; empty if there is none.
        reason: why ``unknown`` or ``unsupported``.
        encoding: which encoding was used, in a word or two.
    """

    status: str
    loss: Fraction | None = None
    bound: Fraction | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    encoding: str = ""

    def to_json(self) -> dict[str, Any]:
        """The object that a peer prints."""
        return {
            "status": self.status,
            "loss": None if self.loss is None else str(self.loss),
            "bound": None if self.bound is None else str(self.bound),
            "parameters": self.parameters,
            "reason": self.reason,
            "encoding": self.encoding,
        }


def written(value: Fraction) -> int | str:
    """A rational as a certificate spells it."""
    return value.numerator if value.denominator == 1 else str(value)
