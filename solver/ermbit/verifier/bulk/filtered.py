"""Exact verification of networks of real size at the speed of float64 (docs/theory.md I).

One float64 pass with proved error radii settles nearly all samples; what it leaves open is
evaluated exactly, by integers. Only proved statements come out: an interval that contains L(θ), and
whether L(θ) ≤ γ. At L = γ every interval of positive width contains γ, so there all samples whose
radius is not 0 are evaluated exactly; quantised networks on quantised data have radius 0 (I5, E7).

With polynomial activations the integers multiply in length from layer to layer; the caller sees to
it that they stay short (:func:`ermbit.verifier.evaluation.growth.output_bits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit.verifier.bulk.exact_matrix import Bits, ExactLayer, evaluate_rows, exact_layers
from ermbit.verifier.bulk.exact_sums import balanced_sum, weighted_sum
from ermbit.verifier.bulk.filter import SAFETY, forward, workspace
from ermbit.verifier.bulk.float_check import float64_behaves
from ermbit.verifier.bulk.float_network import FloatNetwork, float_network
from ermbit.verifier.bulk.float_table import table_chunk
from ermbit.verifier.bulk.limbs import to_objects
from ermbit.verifier.bulk.loss_enclosure import enclose_losses
from ermbit.verifier.evaluation.arithmetic import OutOfTime, check_time
from ermbit.verifier.evaluation.evaluate import LayerBits
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np

CHUNK_ENTRIES = 2_000_000
"""Most signals of all layers in one chunk of samples: 16 MB."""


@dataclass(frozen=True)
class FilteredLoss:
    """What is proved about L(θ).

    Attributes:
        loss: L(θ), or ``None`` if only an interval was needed.
        low, high: low ≤ L(θ) ≤ high.
        above: whether L(θ) > γ; ``None`` iff the instance has no threshold.
        samples: how many samples count (weight > 0).
        exact_samples: how many of them were evaluated by exact integers.
        exact_in_floats: of how many the float64 pass computed the outputs without any rounding.
        method: how, in words.
        bits: bit-lengths of the scaled integers of the exact evaluations, per layer.
    """

    loss: Rational | None
    low: Rational
    high: Rational
    above: bool | None
    samples: int
    exact_samples: int
    exact_in_floats: int
    method: str
    bits: tuple[LayerBits, ...] = ()


def filtered_loss(
    instance: Instance,
    values: Sequence[Any],
    *,
    exact: bool,
    safety: float = SAFETY,
    deadline: float | None = None,
) -> FilteredLoss:
    """Decide L(θ) ≤ γ, or compute L(θ) exactly.

    Args:
        instance: the question.
        values: θ by parameter number: rationals, or a sequence with an exact float64 ``array``.
        exact: whether L(θ) itself is wanted; otherwise an interval that settles γ is enough.
        safety: factor on the filter's error bounds. Less than 1 gives wrong answers.
        deadline: by the monotonic clock, in seconds; looked at before every chunk of samples.
            Past it an interval that settles γ is enough, whatever is wanted.

    Raises:
        OutOfTime: the deadline has passed, and γ is not settled.
        NotPiecewiseLinearError: an irrational parameter.
    """
    network = float_network(instance.network, values, polynomials=True)
    return _Evaluation(instance, values, network, safety, deadline).decide(exact)


class _Evaluation:
    """The samples' losses as far as they are known: centre ± radius, or an exact rational."""

    def __init__(
        self,
        instance: Instance,
        values: Sequence[Any],
        network: FloatNetwork,
        safety: float,
        deadline: float | None,
    ) -> None:
        import numpy as np

        self.instance = instance
        self.values = values
        self.network = network
        self.deadline = deadline
        self.late = False
        self.floats = float64_behaves()
        self.bits = Bits()
        count = len(instance.data)
        self.weights = instance.data.sample_weights
        self.centre = np.zeros(count)
        self.radius = np.full(count, np.inf)
        self.rounded = np.ones(count, dtype=bool)
        self.exact: dict[int, Rational] = {}
        self.counted = np.ones(count, dtype=bool)
        if self.weights is not None:
            self.counted = np.array([w > 0 for w in self.weights])
        if self.floats:
            self._pass(safety)
        # Samples of weight 0 count nowhere, whatever their loss.
        self.centre[~self.counted] = self.radius[~self.counted] = 0.0
        self.in_floats = int((~self.rounded & self.counted).sum())

    @cached_property
    def _layers(self) -> tuple[ExactLayer, ...]:
        return exact_layers(self.network, self.values)

    def _pass(self, safety: float) -> None:
        data, network = self.instance.data, self.network
        count = len(data)
        rows = max(64, min(2048, CHUNK_ENTRIES // max(1, sum(network.widths))))
        buffers = workspace(network, min(rows, count))
        for start in range(0, count, rows):
            check_time(self.deadline)
            stop = min(start + rows, count)
            x = table_chunk(data.x, start, stop, budget=network.input_budget, out=buffers[0])
            outputs = forward(network, x, safety=safety, buffers=buffers)
            self.rounded[start:stop] = outputs.radius > 0
            targets = table_chunk(data.y, start, stop)
            self.centre[start:stop], self.radius[start:stop] = enclose_losses(
                self.instance.loss, outputs, targets, safety=safety
            )

    # ------------------------------------------------------------ what is known

    def _target(self, sample: int) -> Sequence[Rational]:
        table = self.instance.data.y
        if table.array is None:
            return table.rows[sample]
        return [mpq(v) for v in table.array[sample].tolist()]

    def _settle(self, samples: Sequence[int]) -> None:
        """Evaluate these samples exactly."""
        if not samples:
            return
        loss = self.instance.loss
        blocks = evaluate_rows(
            self.network,
            self._layers,
            self.instance.data.x,
            samples,
            floats=self.floats,
            bits=self.bits,
        )
        for chunk, outputs in blocks:
            unit = outputs.denominator
            for sample, row in zip(chunk, to_objects(outputs.integers).tolist(), strict=True):
                f = [mpq(v, unit) for v in row]
                self.exact[sample] = loss.sample(f, self._target(sample))
            self.centre[list(chunk)] = self.radius[list(chunk)] = 0.0
            check_time(self.deadline)

    def _open(self) -> np.ndarray[Any, Any]:
        """Samples that are not known exactly."""
        import numpy as np

        return np.flatnonzero(self.radius > 0)

    def _weight(self, sample: int) -> Rational:
        return mpq(1) if self.weights is None else self.weights[sample]

    def _interval(self) -> tuple[Rational, Rational]:
        """low ≤ L(θ) ≤ high; all radii are finite."""
        reduction = self.instance.loss.reduction
        if reduction == "max":
            return self._largest()
        known = balanced_sum([self._weight(i) * v for i, v in self.exact.items()])
        middle = known + weighted_sum(self.centre, self.weights)
        width = weighted_sum(self.radius, self.weights)
        total = mpq(1)
        if reduction == "mean":
            total = mpq(len(self.centre)) if self.weights is None else sum(self.weights, mpq(0))
        low, high = (middle - width) / total, (middle + width) / total
        # Losses are at least 0.
        return max(low, mpq(0)), high

    def _largest(self) -> tuple[Rational, Rational]:
        import numpy as np

        if self.weights is not None:
            ends = [self._ends(i) for i in range(len(self.centre))]
            return max(a for a, _ in ends), max(b for _, b in ends)
        # One step outwards covers the rounding of centre ± radius.
        below = np.nextafter(self.centre - self.radius, -np.inf)
        above = np.nextafter(self.centre + self.radius, np.inf)
        surely = self.radius == 0
        known = max(self.exact.values(), default=mpq(0))
        low = mpq(float(np.where(surely, self.centre, below).max()))
        high = mpq(float(np.where(surely, self.centre, above).max()))
        return max(low, known, mpq(0)), max(high, known, mpq(0))

    def _ends(self, sample: int) -> tuple[Rational, Rational]:
        """An interval that contains w_i · ℓ_i."""
        weight = self._weight(sample)
        if sample in self.exact:
            value = weight * self.exact[sample]
            return value, value
        centre, radius = mpq(float(self.centre[sample])), mpq(float(self.radius[sample]))
        return weight * max(centre - radius, mpq(0)), weight * (centre + radius)

    # ------------------------------------------------------------ decision

    def decide(self, exact: bool) -> FilteredLoss:
        import numpy as np

        threshold = self.instance.threshold
        # First those about which nothing is known: under zero_one that is every open one.
        self._settle(np.flatnonzero(~(self.radius < np.inf)).tolist())
        low, high = self._interval()

        def settled() -> bool:
            if low == high:
                return True
            return not exact and (threshold is None or high <= threshold or low > threshold)

        if not settled():
            try:
                if self.instance.loss.reduction == "max":
                    low, high = self._maximum(low, exact)
                else:
                    self._settle(self._open().tolist())
                    low, high = self._interval()
            except OutOfTime:
                low, high = self._interval()
                exact, self.late = False, low < high
                if not settled():
                    raise
        above = None if threshold is None else low > threshold
        return FilteredLoss(
            low if low == high else None,
            low,
            high,
            above,
            int(self.counted.sum()),
            len(self.exact),
            self.in_floats,
            self._method(),
            self.bits.layers,
        )

    def _maximum(self, low: Rational, exact: bool) -> tuple[Rational, Rational]:
        """Settle the samples that can exceed what is proved, in order of their upper ends."""
        threshold = self.instance.threshold
        waiting = [(self._ends(i)[1], i) for i in self._open().tolist()]
        rivals = sorted(((h, i) for h, i in waiting if h > low), reverse=True)
        for start in range(0, len(rivals), 256):
            block = [i for h, i in rivals[start : start + 256] if h > low]
            if not block:
                break
            self._settle(block)
            low = max(low, *(self._weight(i) * self.exact[i] for i in block))
            if not exact and threshold is not None and low > threshold:
                break
        # The ends as computed, not rounded once more: two equal ones are the loss.
        ends = (self._ends(i)[1] for i in self._open().tolist())
        return low, max((low, *ends))

    def _method(self) -> str:
        total = int(self.counted.sum())
        if not self.floats:
            return f"exact integers for all {total} samples (proved); float64 failed its self-test"
        if self.in_floats == total and not self.exact:
            return "float64 arithmetic that provably rounds nothing (proved)"
        end = ", the others past the time limit" if self.late else ""
        return (
            "float64 filter with proved error bounds; "
            f"{len(self.exact)} of {total} samples exactly{end} (proved)"
        )
