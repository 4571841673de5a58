"""Straight-line programs as lists of lines (operation, left, right), and all that are small."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ermbit_instances.straight_line import Instruction, Program

Lines = list[tuple[str, int, int]]


def values_of(lines: Lines) -> list[int]:
    """The values of all lines, computed naively."""
    values: list[int] = []
    for operation, left, right in lines:
        match operation:
            case "+":
                values.append(values[left] + values[right])
            case "-":
                values.append(values[left] - values[right])
            case "*":
                values.append(values[left] * values[right])
            case _:
                values.append(int(operation))
    return values


def all_programs(operations: int, constants: tuple[str, ...] = ("1",)) -> list[Lines]:
    """All programs of exactly so many operations in which every line is used and none repeated.

    Of the two orders of the operands of + and *, one.
    """

    def continued(lines: Lines, left: int) -> Iterator[Lines]:
        if not left:
            if all(any(k in line[1:] for line in lines) for k in range(len(lines) - 1)):
                yield lines
            return
        for operation, (j, k) in product("+-*", product(range(len(lines)), repeat=2)):
            line = (operation, j, k)
            if (operation == "-" or j >= k) and line not in lines:
                yield from continued([*lines, line], left - 1)

    return list(continued([(constant, -1, -1) for constant in constants], operations))


def program_of(lines: Lines) -> Program:
    return Program(tuple(Instruction(f"a{i}", *line) for i, line in enumerate(lines)))  # type: ignore[arg-type]
