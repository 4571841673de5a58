"""How to enumerate a finite problem: a straight-line program with nondeterministic choices.

Registers hold what is known on all samples: the value of a parameter (``p``), a partial
pre-activation (``z``), a neuron's output (``a``), a position in a table (``r``). The program
chooses parameters one at a time and adds up terms; a register is dropped after its last use.
Assignments that agree on all live registers are interchangeable from there on, which is what
merging them relies on: hidden units matter only through their vectors on the data
(docs/theory.md E1, E6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ermbit_encodings.integer_form import IntegerTerm

Register: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Choose:
    """Branch over all values of a parameter."""

    parameter: int


@dataclass(frozen=True, slots=True)
class Add:
    """Add terms to a neuron's partial pre-activation, or take the maximum with them."""

    node: int
    terms: tuple[IntegerTerm, ...]
    maximum: bool


@dataclass(frozen=True, slots=True)
class Activate:
    """The neuron's output from its complete pre-activation."""

    node: int


Instruction: TypeAlias = Choose | Add | Activate


@dataclass(frozen=True, slots=True)
class Group:
    """One neuron's stretch of the program; it contains at least one choice.

    Attributes:
        start, end: instructions start ≤ pc < end.
        node: the neuron.
        inputs: registers it reads and does not make; an accumulated result is not among them.
        outputs: what it leaves behind: register and ``set``, ``sum`` or ``max``, which says how it
            is combined with what is there.
        choices: the parameters it chooses, all of them used nowhere else.
        signature: equal for groups that have equal tables wherever both have one.
        mate: start of an earlier group of the same signature whose table position must not exceed
            this one's, or ``None``.
    """

    start: int
    end: int
    node: int
    inputs: frozenset[Register]
    outputs: tuple[tuple[Register, str], ...]
    choices: tuple[int, ...]
    signature: object
    mate: int | None


@dataclass(frozen=True)
class Plan:
    """The program with its groups.

    Attributes:
        program: the instructions.
        groups: by their start.
        followed: starts of the groups that are some other group's mate.
        death: last instruction that touches a register; absent for the outputs.
        remaining: by instruction, the number of assignments still to choose from there on.
        domains: by parameter, its integer values; a parameter that is never chosen keeps the first.
    """

    program: tuple[Instruction, ...]
    groups: dict[int, Group]
    followed: frozenset[int]
    death: dict[Register, int]
    remaining: tuple[int, ...]
    domains: tuple[tuple[int, ...], ...]

    def groups_from(self, pc: int) -> int:
        """How many groups start at an instruction or after it."""
        return sum(start >= pc for start in self.groups)


def written(instruction: Instruction) -> Register:
    """The register that an instruction makes or adds to."""
    if isinstance(instruction, Choose):
        return ("p", instruction.parameter)
    return ("a" if isinstance(instruction, Activate) else "z", instruction.node)


def reads_any(instruction: Instruction, varying: set[Register]) -> bool:
    """Whether the result differs between states, given the registers that do."""
    if isinstance(instruction, Choose):
        return True
    if ("z", instruction.node) in varying:
        return True
    return isinstance(instruction, Add) and any(
        ("a", t.source) in varying or ("p", t.parameter) in varying for t in instruction.terms
    )
