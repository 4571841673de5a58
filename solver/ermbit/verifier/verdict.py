"""The verdict on a certificate, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gmpy2 import mpfr, mpq

from ermbit.verifier.evaluation.evaluate import LayerBits
from ermbit.verifier.long_numbers.bit_query import Bits
from ermbit_instances.certificate import Value, write_value
from ermbit_instances.rational import Rational, write_rational

WRITTEN_BITS_LIMIT = 2**20
"""A loss longer than this, in bits, is compared but not written out."""


@dataclass(frozen=True)
class Verdict:
    """What the verifier found.

    Attributes:
        accepted: ``True`` or ``False``, each proved; ``None`` when undecided.
        loss: the exact loss, rational or algebraic; ``None`` if it was not computed.
        violations: why it is rejected, one line each.
        method: how it was decided, and whether that is a proof.
        threshold: γ, or ``None`` if the instance has none (then only domains decide).
        bits: bit-lengths per layer, of exact evaluation.
        reason: why it is undecided.
        bounds: proved: bounds[0] ≤ loss ≤ bounds[1], where the loss itself was not computed.
        size: in words, how large a loss is that is too long for that.
        loss_bits, leading: bits of the loss, if they were asked for.
        notes: remarks on the certificate that decide nothing.
    """

    accepted: bool | None
    loss: Value | None
    violations: tuple[str, ...]
    method: str
    threshold: Rational | None
    bits: tuple[LayerBits, ...] = ()
    reason: str | None = None
    bounds: tuple[Rational, Rational] | None = None
    size: str | None = None
    loss_bits: Bits | None = None
    leading: Bits | None = None
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        return {True: "accepted", False: "rejected", None: "undecided"}[self.accepted]

    @property
    def loss_note(self) -> str | None:
        """What is known of a loss that is not written out."""
        if self.loss is not None:
            if isinstance(self.loss, mpq) and _bits(self.loss) > WRITTEN_BITS_LIMIT:
                return f"a rational of {_bits(self.loss)} bits, compared exactly"
            return None
        if self.bounds is not None:
            low, high = self.bounds
            return f"between {rounded(low)} and {rounded(high)} (rounded bounds)"
        return self.size

    def to_json(self) -> dict[str, Any]:
        """The object that ``ermbit verify --json`` prints."""
        loss: Any = None
        if self.loss is not None and (
            not isinstance(self.loss, mpq) or _bits(self.loss) <= WRITTEN_BITS_LIMIT
        ):
            loss = write_value(self.loss)
        bounds = None
        if self.bounds is not None:
            bounds = [write_rational(bound) for bound in self.bounds]
        return {
            "verdict": self.verdict,
            "accepted": self.accepted,
            "proved": self.accepted is not None,
            "loss": loss,
            "loss_note": self.loss_note,
            "loss_bounds": bounds,
            "loss_bit": None if self.loss_bits is None else self.loss_bits.to_json(),
            "leading_bits": None if self.leading is None else self.leading.to_json(),
            "threshold": None if self.threshold is None else write_rational(self.threshold),
            "violations": list(self.violations),
            "notes": list(self.notes),
            "method": self.method,
            "reason": self.reason,
            "bits": [
                {"layer": b.layer, "pre_activation": b.pre_activation, "output": b.output}
                for b in self.bits
            ],
        }

    def __repr__(self) -> str:
        loss = "" if self.loss is None else f", loss {str(write_value(self.loss))[:60]}"
        detail = "".join(f"; {v}" for v in self.violations[:3]) or (
            f"; {self.reason}" if self.reason else ""
        )
        return f"Verdict({self.verdict}{loss}{detail})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<code>{escape(repr(self))}</code>"


def rounded(value: Rational) -> str:
    """A number of any size with 17 digits, for people."""
    return f"{mpfr(value, 64):.17g}"


def _bits(value: Rational) -> int:
    return int(value.numerator.bit_length() + value.denominator.bit_length())
