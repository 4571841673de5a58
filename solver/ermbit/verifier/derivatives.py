"""What ``gradient`` finds, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.risk import Kink
from ermbit.verifier.long_numbers.bit_query import Bits
from ermbit_instances.certificate import Value, write_value
from ermbit_instances.rational import bit_length

WRITTEN_BITS = 2**20
"""A derivative longer than this, in bits, is not written out."""

LISTED_KINKS = 1000
"""So many kinks are written out; all are counted."""

CONVENTION = (
    "slope 0 at a kink of relu, abs and clip, the right-hand slope for leaky_relu and "
    "piecewise_linear, slope 0 of step and sign, of a zero residual and of a hinge at its corner; "
    "of equal maxima the first counts"
)


@dataclass(frozen=True)
class Wanted:
    """What to compute: of which parameter (``None``: all), and which bits."""

    parameter: str | None = None
    sign: bool = False
    bit: tuple[int, int] | None = None
    numerator_bit: tuple[int, int] | None = None
    leading: int | None = None


VALUES = Wanted()
"""All partial derivatives."""


@dataclass(frozen=True)
class Partial:
    """One partial derivative g = ∂L/∂θ_p.

    Attributes:
        parameter: its name.
        value: g, or ``None`` if it was not computed.
        sign: of g, or ``None`` if it is not settled.
        bits: bits of g, if they were asked for.
        numerator_bits: bits of |g|·Q over the stated common denominator Q, if asked for.
        leading: highest bits, if asked for.
        method: how the sign was found, and whether that is a proof.
        reason: why the sign is not settled.
    """

    parameter: str
    value: Value | None
    sign: int | None
    bits: Bits | None = None
    numerator_bits: Bits | None = None
    leading: Bits | None = None
    method: str = "exact evaluation (proved)"
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "parameter": self.parameter,
            "value": _short(self.value),
            "sign": self.sign,
            "bit": None if self.bits is None else self.bits.written,
            "numerator_bit": None if self.numerator_bits is None else self.numerator_bits.written,
            "leading_bits": None if self.leading is None else self.leading.to_json(),
            "details": {
                key: bits.to_json()
                for key, bits in (("bit", self.bits), ("numerator_bit", self.numerator_bits))
                if bits is not None
            },
            "method": self.method,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class DeltaBits:
    """Bit-lengths in one layer: of values before and after φ, and of error signals ∂L/∂z."""

    layer: int
    pre_activation: int
    output: int
    error_signal: int


@dataclass(frozen=True)
class Gradient:
    """∂L/∂θ at a certificate.

    Attributes:
        partials: by parameter, those asked for.
        loss: L(θ), or ``None`` if it was not computed.
        kinks: places where no rule yields the derivative, so that conventions were used; ``None``
            where not even the way through the network is settled.
        factored: a common denominator Q of all partial derivatives as a product of powers, such as
            ``2^5*21``; ``None`` for algebraic parameters.
        denominator: the same number Q, where it is short.
        bits: bit-lengths by layer, of exact evaluation.
        method: how, in words.
        single: one parameter was asked for.
    """

    partials: tuple[Partial, ...]
    loss: Value | None
    kinks: Sequence[Kink] | None
    factored: str | None
    denominator: int | None
    bits: tuple[DeltaBits, ...]
    method: str
    single: bool = False

    @property
    def differentiable(self) -> bool | None:
        """No convention was needed, so the partial derivatives are those of L; or not known."""
        return None if self.kinks is None else not self.kinks

    @property
    def settled(self) -> bool:
        """Everything that was asked for is proved."""
        return all(
            p.sign is not None
            and all(b is None or b.value is not None for b in (p.bits, p.numerator_bits, p.leading))
            for p in self.partials
        )

    def __getitem__(self, parameter: str) -> Partial:
        for partial in self.partials:
            if partial.parameter == parameter:
                return partial
        raise KeyError(parameter)

    def to_json(self) -> dict[str, Any]:
        """The object that ``ermbit gradient --json`` prints."""
        document: dict[str, Any] = {
            "gradient": {p.parameter: _short(p.value) for p in self.partials},
            "signs": {p.parameter: p.sign for p in self.partials},
            "loss": _short(self.loss),
            "differentiable": self.differentiable,
            "kink_count": None if self.kinks is None else len(self.kinks),
            "kinks": [
                {"where": k.where, "sample": k.sample, "what": k.what}
                for k in (self.kinks or ())[:LISTED_KINKS]
            ],
            "convention": CONVENTION,
            "denominator": None if self.denominator is None else _short(mpq(self.denominator)),
            "denominator_factored": self.factored,
            "bits": [
                {
                    "layer": b.layer,
                    "pre_activation": b.pre_activation,
                    "output": b.output,
                    "error_signal": b.error_signal,
                }
                for b in self.bits
            ],
            "method": self.method,
            "settled": self.settled,
        }
        if self.single:
            document |= self.partials[0].to_json()
        else:
            document["partials"] = [p.to_json() for p in self.partials]
        return document

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{p.parameter}: {'?' if p.value is None else str(write_value(p.value))[:30]}"
            for p in self.partials[:4]
        )
        more = "" if len(self.partials) <= 4 else f", ... {len(self.partials)} in all"
        kinks = f"; {len(self.kinks)} kinks" if self.kinks else ""
        return f"Gradient({shown}{more}{kinks})"


def _short(value: Value | None) -> int | str | None:
    """As written in files; ``None`` for what is unknown or too long to be written."""
    if value is None or _length(value) > WRITTEN_BITS:
        return None
    return write_value(value)


def _length(value: Value) -> int:
    return bit_length(value) if isinstance(value, mpq) else 8 * len(str(value))
