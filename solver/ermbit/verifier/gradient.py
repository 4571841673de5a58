"""``gradient``: exact partial derivatives of the loss, their signs and their bits.

Piecewise linear networks: exact, by backpropagation in polynomial time; large ones by matrices of
integers (:mod:`~ermbit.verifier.bulk.exact_gradient`). Polynomial networks: exact as long as the
numbers are short; past that signs by escalation and bits by
:mod:`~ermbit.verifier.long_numbers.bit_query`, each with the method and whether it is a proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gmpy2 import lcm, mpq

from ermbit.verifier.derivatives import VALUES, WRITTEN_BITS, DeltaBits, Gradient, Partial, Wanted
from ermbit.verifier.evaluation.arithmetic import EXACT, Arithmetic, OutOfTime, Place
from ermbit.verifier.evaluation.evaluate import BitTrace
from ermbit.verifier.evaluation.growth import output_bits
from ermbit.verifier.evaluation.risk import RiskGradient, risk_gradient
from ermbit.verifier.long_numbers.balls import BallArithmetic
from ermbit.verifier.long_numbers.bit_query import (
    bits_of,
    leading_bits,
    rational_bits,
    rational_leading,
)
from ermbit.verifier.long_numbers.denominators import (
    CoprimeBase,
    Exponents,
    coprime_base,
    instance_base,
)
from ermbit.verifier.long_numbers.escalation import Limits, Settled, deadline_after, escalate
from ermbit.verifier.long_numbers.residues import ReplayArithmetic, Residue, Ring
from ermbit.verifier.resources import ball_limits
from ermbit.verifier.verify import EXACT_WORK
from ermbit_instances.certificate import (
    Certificate,
    Value,
    load_certificate,
    parse_certificate,
)
from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.instance import Instance
from ermbit_instances.rational import bit_length

__all__ = ["EXACT_BITS", "VALUES", "Wanted", "gradient"]

EXACT_BITS = 2**18
"""Networks whose values have at most so many bits are differentiated exactly."""


def gradient(
    instance: Instance,
    certificate: Certificate | Mapping[str, Any] | str | Path,
    wanted: Wanted = VALUES,
    *,
    memory: int | None = None,
    timeout: float | None = None,
) -> Gradient:
    """Differentiate the loss at a certificate.

    Args:
        instance: the instance; its domains and its threshold play no role.
        certificate: as for :func:`ermbit.verify`.
        wanted: of which parameters, and which bits.
        memory: megabytes that numbers may take.
        timeout: seconds.

    Raises:
        InputError: the certificate does not fit the network.
        UsageError: no such parameter; bits of an algebraic derivative.
    """
    if isinstance(certificate, str | Path):
        certificate = load_certificate(certificate, instance)
    elif not isinstance(certificate, Certificate):
        certificate = parse_certificate(certificate, instance)
    return _Differentiation(instance, certificate, wanted, memory, timeout).run()


class _Differentiation:
    """One call of :func:`gradient`."""

    def __init__(
        self,
        instance: Instance,
        certificate: Certificate,
        wanted: Wanted,
        memory: int | None,
        timeout: float | None,
    ) -> None:
        network = instance.network
        if wanted.parameter is None:
            self.numbers: Sequence[int] = range(network.parameter_count)
        else:
            number = network.parameter_number(wanted.parameter)
            if number is None and network.spelling == "neurons":
                names = ((p.index, p.name) for p in network.parameters)
                number = next((n for n, name in names if name == wanted.parameter), None)
            if number is None:
                raise UsageError(f"the network has no free parameter {wanted.parameter!r}")
            self.numbers = (number,)
        self.instance = instance
        self.wanted = wanted
        self.values: Sequence[Any] = certificate.values
        self.algebraic = any(not isinstance(v, mpq) for v in self.values)
        if self.algebraic and (wanted.bit or wanted.numerator_bit or wanted.leading):
            raise UsageError("bits are given of rational derivatives only")
        self.limits = Limits(ball_limits(instance, memory), deadline_after(timeout))

    def run(self) -> Gradient:
        network = self.instance.network
        polynomial = any(layer.activation.kind == "polynomial" for layer in network.layers)
        large = network.edge_count * len(self.instance.data) > EXACT_WORK
        if large and not polynomial and not self.algebraic:
            return self._in_bulk()
        # Piecewise linear networks have short derivatives whatever their size.
        size = output_bits(self.instance, self.values) if polynomial else 0
        if size <= EXACT_BITS:
            return self._exact()
        if self.algebraic:
            raise LimitError(
                f"algebraic parameters with values of up to {size} bits are past the limit of "
                "exact evaluation",
                file=self.instance.file,
            )
        return self._escalated(instance_base(self.instance, self.values))

    def _name(self, number: int) -> str:
        network = self.instance.network
        if self.wanted.parameter is None:
            return network.parameters[number].name
        return network.parameter_name(number)

    # ------------------------------------------------------------ exact

    def _exact(self) -> Gradient:
        point = self.values
        if self.algebraic:
            from ermbit_instances.number_field import NumberField

            field = NumberField.containing([v for v in point if not isinstance(v, mpq)])
            point = [v if isinstance(v, mpq) else field.element(v) for v in point]
        trace = BitTrace()
        deltas: dict[int, int] = {}

        def see(layer: int, delta: Any) -> None:
            if isinstance(delta, mpq):
                deltas[layer] = max(deltas.get(layer, 0), bit_length(delta))

        try:
            found = risk_gradient(
                self.instance, point, EXACT, trace=trace, see=see, deadline=self.limits.deadline
            )
        except OutOfTime as end:
            return self._unsettled("exact evaluation", str(end))
        common = 1
        base: CoprimeBase | None = None
        if not self.algebraic:
            # Of all parameters, whichever are asked for.
            common = int(lcm(1, *(v.denominator for v in found.partials.values())))
            base = coprime_base([common])
        return Gradient(
            tuple(
                self._partial_exact(n, _written(found.partials.get(n, mpq(0))), common)
                for n in self.numbers
            ),
            _written(found.loss),
            found.kinks,
            *self._denominator(base, None if base is None else base.exponents(common)),
            tuple(
                DeltaBits(b.layer, b.pre_activation, b.output, deltas.get(b.layer, 0))
                for b in trace.layers
            ),
            "exact evaluation" + (" in a number field" if self.algebraic else "") + " (proved)",
            self.wanted.parameter is not None,
        )

    def _in_bulk(self) -> Gradient:
        from ermbit.verifier.bulk.exact_gradient import bulk_gradient

        try:
            found = bulk_gradient(self.instance, self.values, self.limits.deadline)
        except OutOfTime as end:
            return self._unsettled("exact integers in bulk", str(end))
        base = coprime_base([found.denominator])
        return Gradient(
            tuple(
                self._partial_exact(n, found.partials[n], found.denominator) for n in self.numbers
            ),
            found.loss,
            found.kinks,
            *self._denominator(base, base.exponents(found.denominator)),
            found.bits,
            "exact integers in bulk (proved)",
            self.wanted.parameter is not None,
        )

    def _partial_exact(self, number: int, value: Value, common: int) -> Partial:
        sign = int(value > 0) - int(value < 0)
        bits = numerator = leading = None
        method = "exact evaluation (proved)"
        if isinstance(value, mpq):
            if self.wanted.bit is not None:
                position, count = self.wanted.bit
                bits = rational_bits(value, position, count, method)
            if self.wanted.numerator_bit is not None:
                position, count = self.wanted.numerator_bit
                numerator = rational_bits(value * common, position, count, method)
            if self.wanted.leading is not None:
                leading = rational_leading(value, self.wanted.leading, method)
        return Partial(self._name(number), value, sign, bits, numerator, leading, method)

    # ------------------------------------------------------------ escalated

    def _escalated(self, base: CoprimeBase) -> Gradient:
        def way(arithmetic: BallArithmetic) -> RiskGradient:
            return risk_gradient(self.instance, self.values, arithmetic)

        first: Settled[RiskGradient] = escalate(way, base, self.limits)
        if first.result is None or not first.proved:
            reason = first.reason or "a value at a breakpoint is equal to it only with an error"
            return self._unsettled(first.method, reason)
        over = self._common(base, first.signs)
        partials = tuple(
            self._partial_escalated(n, first.result.partials.get(n), base, over)
            for n in self.numbers
        )
        return Gradient(
            partials,
            None,
            first.result.kinks,
            *self._denominator(base, over),
            (),
            first.method,
            self.wanted.parameter is not None,
        )

    def _unsettled(self, method: str, reason: str) -> Gradient:
        """The answer where not even the way through the network is settled."""
        partials = tuple(
            Partial(self._name(n), None, None, method=method, reason=reason) for n in self.numbers
        )
        single = self.wanted.parameter is not None
        return Gradient(partials, None, None, None, None, (), method, single)

    @staticmethod
    def _denominator(
        base: CoprimeBase | None, over: Exponents | None
    ) -> tuple[str | None, int | None]:
        if base is None or over is None:
            return None, None
        short = base.bits(over) <= WRITTEN_BITS
        return base.write(over), base.product(over) if short else None

    def _partial_escalated(
        self, number: int, ball: Any, base: CoprimeBase, over: Exponents
    ) -> Partial:
        def compute(arithmetic: Arithmetic) -> Any:
            found = risk_gradient(
                self.instance, self.values, arithmetic, wanted=lambda p: p == number
            )
            return found.partials.get(number, arithmetic.constant(mpq(0)))

        name = self._name(number)
        sign: int | None
        reason = None
        if ball is None:
            sign, method = 0, "the parameter does not reach the loss (proved)"
        elif ball.ball > 0 or ball.ball < 0:
            sign, method = (1 if ball.ball > 0 else -1), "ball arithmetic (proved)"
        else:
            settled = escalate(lambda a: a.sign(compute(a), Place("loss", -1)), base, self.limits)
            sign, method, reason = settled.result, settled.method, settled.reason
            if not settled.proved:
                if sign == 0:
                    reason = f"0 with an error of at most 2^-{settled.error_bits}"
                sign = None
        wanted, limits = self.wanted, self.limits
        bits = numerator = leading = None
        if wanted.bit is not None:
            bits = bits_of(compute, *wanted.bit, base, limits)
        if wanted.numerator_bit is not None:
            numerator = bits_of(compute, *wanted.numerator_bit, base, limits, over=over)
        if wanted.leading is not None:
            leading = leading_bits(compute, wanted.leading, base, limits)
        value = mpq(0) if sign == 0 else None
        return Partial(name, value, sign, bits, numerator, leading, method, reason)

    def _common(self, base: CoprimeBase, signs: Sequence[int]) -> Exponents:
        """A common denominator of all partial derivatives, whichever are asked for."""
        arithmetic = ReplayArithmetic(Ring(1, base), signs)
        found = risk_gradient(self.instance, self.values, arithmetic)
        exponents = base.one
        for partial in found.partials.values():
            assert isinstance(partial, Residue)
            exponents = tuple(map(max, exponents, partial.exponents))
        return exponents


def _written(value: Any) -> Value:
    """A rational, or an algebraic number, from what exact evaluation gives."""
    if isinstance(value, mpq):
        return value
    rational = value.as_rational()
    result: Value = value.to_algebraic() if rational is None else rational
    return result
