"""A mixed-integer linear program that grows: columns, rows, and linear expressions in columns."""

from __future__ import annotations

from dataclasses import dataclass, field

from peers.answer import NotSupported

LARGEST = 1e9
"""Coefficients above this are past what the tolerances of the solver can tell apart."""

Linear = dict[int, float]
"""A linear expression: column → coefficient; column −1 is the constant."""


@dataclass
class Program:
    """Columns with bounds, rows lower ≤ Σ ≤ upper; grows while a model is built."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    rows: list[tuple[Linear, float, float]] = field(default_factory=list)

    def column(self, low: float, high: float, integer: bool = False) -> Linear:
        """A fresh variable."""
        if max(abs(low), abs(high)) > LARGEST:
            raise NotSupported("numbers too large for floating point")
        self.lower.append(float(low))
        self.upper.append(float(high))
        self.integer.append(integer)
        return {len(self.lower) - 1: 1.0}

    def binary(self) -> Linear:
        return self.column(0, 1, True)

    def at_least(self, expression: Linear, bound: float = 0.0) -> None:
        """expression ≥ bound."""
        row = {c: v for c, v in expression.items() if c >= 0 and v}
        self.rows.append((row, bound - expression.get(-1, 0.0), float("inf")))

    def equal(self, expression: Linear) -> None:
        """expression = 0."""
        row = {c: v for c, v in expression.items() if c >= 0 and v}
        constant = -expression.get(-1, 0.0)
        self.rows.append((row, constant, constant))


def combined(*parts: tuple[float, Linear]) -> Linear:
    """Σ factor · expression."""
    result: Linear = {}
    for factor, expression in parts:
        for column, value in expression.items():
            result[column] = result.get(column, 0.0) + float(factor) * value
    return result


def constant(value: float) -> Linear:
    return {-1: float(value)}
