"""Exact evaluation of many parameter assignments at once with numpy.

Arrays have the samples first and the assignments last; an axis of length 1 says "the same for
all". The element type is proved wide enough for every intermediate result: 32 or 64-bit integers,
or Python integers (docs/theory.md E7).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.exhaustive.program import (
    Activate,
    Add,
    Choose,
    Instruction,
    Plan,
    Register,
)
from ermbit.engines.integer_activation import activated
from ermbit_encodings.integer_form import IntegerForm, IntegerTerm

Array: TypeAlias = NDArray[Any]
Registers: TypeAlias = dict[Register, Array]


class VectorEvaluator:
    """The arithmetic of a form on registers.

    Args:
        form, plan, bounds: of one problem.
    """

    def __init__(self, form: IntegerForm, plan: Plan, bounds: Bounds) -> None:
        self.form, self.plan, self.bounds = form, plan, bounds
        self.dtype = np.dtype(bounds.dtype)
        self.neurons = {neuron.node: neuron for neuron in form.neurons}
        self.domains = tuple(self.array(values) for values in plan.domains)

    def array(self, values: Sequence[Any]) -> Array:
        return np.array(values, dtype=self.dtype)

    def inputs(self) -> Registers:
        """Registers of the network inputs."""
        rows = self.array(self.form.inputs)
        return {("a", i): rows[:, i, None] for i in range(len(self.form.input_scales))}

    def run(self, instruction: Instruction, registers: Registers) -> None:
        """Carry out an :class:`Add` or :class:`Activate` in place of the registers' dictionary."""
        assert not isinstance(instruction, Choose)
        z = registers.get(("z", instruction.node))
        if isinstance(instruction, Activate):
            if z is None:
                z = np.zeros((1,) * self._dimensions(registers), dtype=self.dtype)
            node = instruction.node
            pieces = self.bounds.pieces[node]
            registers["a", node] = activated(self.neurons[node], pieces, z)
            return
        z = self._added(instruction, z, registers)
        if z is not None:
            registers["z", instruction.node] = z

    @staticmethod
    def _dimensions(registers: Registers) -> int:
        return next((v.ndim for v in registers.values()), 2)

    def _added(self, add: Add, z: Array | None, registers: Registers) -> Array | None:
        for term in add.terms:
            value = self._term(term, registers)
            if z is None:
                z = value
            else:
                z = np.maximum(z, value) if add.maximum else z + value
        return z

    def _term(self, term: IntegerTerm, registers: Registers) -> Array:
        value: Array | None = None
        factor = term.factor
        if term.parameter >= 0:
            value = registers.get(("p", term.parameter))
            if value is None:
                # A domain of one value is a constant.
                factor *= self.plan.domains[term.parameter][0]
        if value is not None and factor != 1:
            value, factor = value * factor, 1
        if term.source >= 0:
            signal = registers["a", term.source]
            value = signal if value is None else value * signal
        if value is None:
            value = np.full((1,) * self._dimensions(registers), factor, dtype=self.dtype)
        elif factor != 1:
            value = value * factor
        return value

    def losses(self, registers: Registers, first: int, last: int) -> Array:
        """Reduced weighted loss of the samples first ≤ i < last, in registers cut to these."""
        outputs = [
            registers["a", node] * factor if factor != 1 else registers["a", node]
            for node, factor in zip(self.form.outputs, self.form.output_factors, strict=True)
        ]
        total: Array | None = None
        by_max = self.form.instance.loss.reduction == "max"
        for i in range(first, last):
            rows = [f[0 if f.shape[0] == 1 else i - first] for f in outputs]
            loss = self._sample_loss(rows, self.form.targets[i])
            if self.form.weights[i] != 1:
                loss = loss * self.form.weights[i]
            if total is None:
                total = loss
            else:
                total = np.maximum(total, loss) if by_max else total + loss
        assert total is not None
        return total

    def _sample_loss(self, outputs: list[Array], target: tuple[int, ...]) -> Array:
        loss = self.form.instance.loss.name
        if loss in ("absolute", "squared"):
            total: Array | None = None
            for f, t in zip(outputs, target, strict=True):
                gap = f - t
                cost = np.abs(gap) if loss == "absolute" else gap * gap
                total = cost if total is None else total + cost
            assert total is not None
            return total
        label = target[0]
        if len(outputs) == 1:
            score = outputs[0] * label
        else:
            others = [f for j, f in enumerate(outputs) if j != label]
            best = others[0]
            for f in others[1:]:
                best = np.maximum(best, f)
            score = outputs[label] - best
        if loss == "hinge":
            short: Array = np.maximum(self.form.scale - score, 0)
            return short
        return np.asarray(score < self.form.margin).astype(self.dtype)
