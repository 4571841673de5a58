"""Straight-line programs over the integers: what they are and what they compute."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from gmpy2 import mpz

from ermbit_instances import limits
from ermbit_instances.errors import LimitError, UsageError

Operation = Literal["1", "-1", "+", "-", "*"]
CONSTANTS: tuple[Operation, ...] = ("1", "-1")
OPERATIONS: tuple[Operation, ...] = ("+", "-", "*")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
"""Names of instructions: 1 to 100 letters, digits and underscores, not beginning with a digit."""

VALUE_BITS = 2**26
"""Bits that all values of a program together may have where they are computed exactly."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of a program.

    Attributes:
        name: see :data:`NAME`.
        operation: ``"1"`` or ``"-1"`` (a constant), or ``"+"``, ``"-"``, ``"*"``.
        left, right: the operands, as numbers of earlier instructions counted from 0; unused for a
            constant.
    """

    name: str
    operation: Operation
    left: int = -1
    right: int = -1

    @property
    def is_constant(self) -> bool:
        return self.operation in CONSTANTS


@dataclass(frozen=True)
class Program:
    """A straight-line program; its value V is that of the last instruction.

    Raises:
        UsageError: no instruction, an illegal or repeated name, an unknown operation, or an operand
            that is not an earlier instruction.
        LimitError: more instructions than the limit ``slp_lines``.
    """

    instructions: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "instructions", tuple(self.instructions))
        if not self.instructions:
            raise UsageError("a program needs at least one instruction")
        if len(self.instructions) > limits.SLP_LINES.value:
            raise LimitError(
                f"{len(self.instructions)} instructions, "
                f"more than the limit of {limits.SLP_LINES.value}"
            )
        names: set[str] = set()
        for number, line in enumerate(self.instructions):
            if not isinstance(line.name, str) or NAME.fullmatch(line.name) is None:
                raise UsageError(f"instruction {number}: {line.name!r:.60} is not a name")
            if line.name in names:
                raise UsageError(f"instruction {number}: a second one called {line.name}")
            names.add(line.name)
            if line.operation not in (*CONSTANTS, *OPERATIONS):
                raise UsageError(f"instruction {number}: no operation {line.operation!r:.60}")
            for operand in () if line.is_constant else (line.left, line.right):
                if type(operand) is not int or not 0 <= operand < number:
                    raise UsageError(
                        f"instruction {number}: operand {operand!r:.60} is no earlier instruction"
                    )

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The instructions that V depends on, ascending; the last of them is the last one."""
        needed = {len(self.instructions) - 1}
        for number in reversed(range(len(self.instructions))):
            line = self.instructions[number]
            if number in needed and not line.is_constant:
                needed |= {line.left, line.right}
        return tuple(sorted(needed))

    @property
    def products(self) -> int:
        """Number of multiplications that V depends on."""
        return sum(self.instructions[number].operation == "*" for number in self.used)

    def value(self, bits: int = VALUE_BITS) -> int:
        """V, exactly.

        Args:
            bits: that all values met may have together.

        Raises:
            LimitError: they would have more. Nothing of that size is built.
        """
        spent = 0

        def step(operation: str, a: mpz, b: mpz) -> mpz:
            nonlocal spent
            if operation == "*":
                expected = a.bit_length() + b.bit_length()
            else:
                expected = max(a.bit_length(), b.bit_length()) + 1
            if spent + expected > bits:
                raise LimitError(f"the values have more than {bits} bits together")
            result = _apply(operation, a, b)
            spent += result.bit_length()
            return result

        return int(self._run(mpz, step))

    def value_mod(self, modulus: int) -> int:
        """V modulo ``modulus`` ≥ 1, in 0..modulus − 1.

        Raises:
            UsageError: the modulus is not a positive integer.
        """
        if type(modulus) is not int or modulus < 1:
            raise UsageError(f"expected a modulus of at least 1, not {modulus!r:.60}")
        m = mpz(modulus)
        return int(self._run(mpz, lambda operation, a, b: _apply(operation, a, b) % m) % m)

    def magnitude(self) -> int:
        """A number e ≥ 0 with abs(V) ≤ 2^e: 0 for constants, max + 1 for sums, sums for products.

        It is below 2^(number of instructions used), so it has at most that many bits.
        """

        def step(operation: str, a: int, b: int) -> int:
            return a + b if operation == "*" else max(a, b) + 1

        return self._run(lambda constant: 0, step)

    def _run(self, constant: Callable[[int], T], step: Callable[[str, T, T], T]) -> T:
        values: dict[int, T] = {}
        for number in self.used:
            line = self.instructions[number]
            values[number] = (
                constant(int(line.operation))
                if line.is_constant
                else step(line.operation, values[line.left], values[line.right])
            )
        return values[len(self.instructions) - 1]


def _apply(operation: str, a: mpz, b: mpz) -> mpz:
    match operation:
        case "+":
            return a + b
        case "-":
            return a - b
        case _:
            return a * b
