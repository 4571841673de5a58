"""An instance document as a script for z3 or cvc5 that one would write by hand, and its answer.

Unknowns for parameters, pre-activations and costs; nested terms; ``If`` for pieces. Nothing of
ermbit is used. Layers with ``relu``, ``abs``, ``square``, ``identity`` and polynomials, masks, one
domain (``real``, ``rational``) for all parameters.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

LISTED_BITS = 5
"""A ``rational`` domain of more bits is asked over the reals, and a solution is looked up in it."""


class Script:
    """The assertions of one document.

    Args:
        document: the instance.
        solver: ``z3`` or ``cvc5``.
    """

    def __init__(self, document: Mapping[str, Any], solver: str) -> None:
        self.s: Any = importlib.import_module({"cvc5": "cvc5.pythonic"}.get(solver, solver))
        self.document = document
        self.domain = document["weights"]
        self.parameters: dict[str, Any] = {}
        self.assertions: list[Any] = []
        self.gamma = Fraction(document["threshold"])
        x, y = document["data"]["x"], document["data"]["y"]
        costs = [
            self.costs(i, self.outputs(i, row), target)
            for i, (row, target) in enumerate(zip(x, y, strict=True))
        ]
        if document["loss"]["reduction"] == "max":
            bounded = [(own, self.gamma) for own in costs]
        else:
            bounded = [([c for own in costs for c in own], self.gamma * len(x))]
        for terms, limit in bounded:
            if terms:
                self.assertions.append(sum(terms[1:], terms[0]) <= self.number(limit))

    def answer(self) -> str:
        """``sat``, ``unsat``, or ``unknown``, also where a solution is not in the domain."""
        solver = self.s.SolverFor("QF_NRA")
        for assertion in self.assertions:
            solver.add(assertion)
        status = str(solver.check())
        bits = self.domain.get("bits", 0)
        if status == "sat" and bits > LISTED_BITS:
            model = solver.model()
            for unknown in self.parameters.values():
                try:
                    value = Fraction(str(model[unknown]))
                except ValueError:
                    return "unknown"
                if max(abs(value.numerator), value.denominator) >= 1 << bits:
                    return "unknown"
        return status

    def number(self, value: Any) -> Any:
        value = Fraction(value)
        return self.s.Q(value.numerator, value.denominator)

    def parameter(self, name: str) -> Any:
        if name not in self.parameters:
            unknown = self.parameters[name] = self.s.Real(name)
            if 0 < self.domain.get("bits", 0) <= LISTED_BITS:
                top = 1 << self.domain["bits"]
                pairs = [(p, q) for q in range(1, top) for p in range(1 - top, top)]
                values = [self.s.Q(p, q) for p, q in pairs if gcd(p, q) == 1]
                self.assertions.append(self.s.Or([unknown == v for v in values]))
        return self.parameters[name]

    def outputs(self, sample: int, row: Sequence[Any]) -> list[Any]:
        signals = [self.number(v) for v in row]
        for number, layer in enumerate(self.document["network"]["layers"]):
            following = []
            for unit in range(layer["units"]):
                z = self.number(0)
                for k, signal in enumerate(signals):
                    if "mask" not in layer or layer["mask"][unit][k]:
                        z = z + self.parameter(f"W{number}_{unit}_{k}") * signal
                if layer.get("bias", True):
                    z = z + self.parameter(f"b{number}_{unit}")
                if layer["activation"] != "identity":
                    name = self.s.Real(f"z{sample}_{number}_{unit}")
                    self.assertions.append(name == z)
                    z = name
                following.append(self.activation(layer["activation"], z))
            signals = following
        return signals

    def activation(self, activation: Any, z: Any) -> Any:
        if activation == "identity":
            return z
        if activation == "square":
            return z * z
        if activation == "relu":
            return self.s.If(z > 0, z, self.number(0))
        if activation == "abs":
            return self.s.If(z > 0, z, -z)
        result, power = self.number(activation["coefficients"][0]), None
        for c in activation["coefficients"][1:]:
            power = z if power is None else power * z
            if Fraction(c):
                result = result + self.number(c) * power
        return result

    def costs(self, sample: int, outputs: Sequence[Any], target: Sequence[Any]) -> list[Any]:
        loss = self.document["loss"]["name"]
        if loss == "zero_one":
            right = self.number(target[0]) * outputs[0] > 0
            return [self.s.If(right, self.number(0), self.number(1))]
        costs = []
        for k, (f, y) in enumerate(zip(outputs, map(self.number, target), strict=True)):
            cost = self.s.Real(f"c{sample}_{k}")
            if loss == "hinge":
                self.assertions += [cost >= 0, cost >= 1 - y * f]
            elif self.gamma == 0:
                self.assertions.append(f == y)
                continue
            elif loss == "absolute":
                self.assertions += [cost >= f - y, cost >= y - f]
            else:
                self.assertions.append(cost == f - y)
                cost = cost * cost
            costs.append(cost)
        return costs
