"""The polynomial network that computes a straight-line program (docs/reductions.md 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_instances.rational import Rational
from ermbit_instances.straight_line.products import quadratic
from ermbit_instances.straight_line.program import Program
from ermbit_instances.straight_line.wires import Form, Wiring, combination


@dataclass(frozen=True)
class ProgramNetwork:
    """The neurons of a program.

    Attributes:
        wiring: the neurons; further ones may be added.
        wires: for each instruction that V depends on (by its number from 0) the linear form with
            its value at x0 = 1; at x0 = 0 each of them is 0.
        value: the form of V.
    """

    wiring: Wiring
    wires: dict[int, Form]
    value: Form


def network_of_program(
    program: Program, polynomial: Sequence[Rational], *, gatewise: bool = False
) -> ProgramNetwork:
    """Compile a program; one input x0, 1 on the main sample.

    Args:
        program: what is computed. Instructions that V does not depend on are left out.
        polynomial: the activation, see :func:`~.products.read_polynomial`.
        gatewise: every instruction is a neuron, so that few distinct weights occur: 1, −1, 2, the
            shifts 1..d−2, ±binom(d−2, j) / 4A and −B / 2A.

    Raises:
        LimitError: the network would be past the limits of instances.
    """
    wiring = Wiring(quadratic(polynomial), {"x0": mpq(1)}, gatewise=gatewise)
    one = mpq(1)
    wires: dict[int, Form] = {}
    for number in program.used:
        line = program.instructions[number]
        if line.is_constant:
            wires[number] = wiring.wire(line.name, {"x0": mpq(int(line.operation))})
            continue
        left, right = wires[line.left], wires[line.right]
        if line.operation == "*":
            wires[number] = wiring.product(line.name, left, right)
        else:
            sign = one if line.operation == "+" else -one
            wires[number] = wiring.wire(line.name, combination((one, left), (sign, right)))
    return ProgramNetwork(wiring, wires, wires[len(program.instructions) - 1])


def scale_down(network: ProgramNetwork, magnitude: int) -> Form:
    """The form of ε·V with 0 < ε and abs(ε·V) ≤ 1, given abs(V) ≤ 2^magnitude.

    ε = 2^(−2^h) with the least h such that 2^h ≥ magnitude, by h squarings of x0/2; for magnitude
    0, ε = 1.
    """
    if magnitude == 0:
        return network.value
    wiring = network.wiring
    # A hyphen keeps these names apart from those of instructions.
    epsilon = wiring.wire("eps-0", {"x0": mpq(1, 2)})
    for k in range(1, (magnitude - 1).bit_length() + 1):
        epsilon = wiring.product(f"eps-{k}", epsilon, epsilon)
    return wiring.product("eps-V", epsilon, network.value)
