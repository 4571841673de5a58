"""Random straight-line programs: is the value positive? (docs/reductions.md 7)

Every operation has one of the two latest lines as an operand and one of the six latest as the
other, and is drawn again if it repeats an earlier value or gives 0 (both modulo a prime), but for
the last one. So the value depends on most of the program, and its length doubles again and again.
The status is stated where the value could be computed, ``unknown`` elsewhere. The program is in
``meta``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    register,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import POLYNOMIAL
from ermbit_instances.straight_line import FORMS, PINS, Instruction, Program, compile_program
from ermbit_instances.straight_line.program import OPERATIONS
from ermbit_instances.straight_line.program_file import write_program

NOT_PINNED = "none"
_PRIME = 2**61 - 1
_DRAWS = 16


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a random program."""
    program = random_program(rng, parameters["length"])
    form, pin = parameters["form"], parameters["pin"]
    try:
        compiled = compile_program(
            program,
            polynomial=parameters["polynomial"],
            form=form,
            pin=None if pin == NOT_PINNED else pin,
            name=f"posslp-{parameters['length']}-{form}",
        )
    except UsageError as error:
        raise FamilyError(f"parameter {error}") from None
    except LimitError as error:
        raise FamilyError(error.reason) from None
    document = dict(compiled.document)
    meta = dict(document["meta"])
    meta.setdefault("status", "unknown")
    meta.setdefault("how", "V is too long to be computed here")
    meta["program"] = write_program(program).splitlines()
    document["meta"] = meta
    return Generated(document, compiled.certificate if meta["status"] == "sat" else None)


def random_program(rng: Rng, length: int) -> Program:
    """A program of one constant and ``length`` operations."""
    lines, residues = [Instruction("a0", "1")], [1]
    seen = {0, 1}
    for number in range(1, length + 1):
        for _ in range(_DRAWS if number < length else 1):
            line = _random_line(rng, number)
            residue = _residue(line.operation, residues[line.left], residues[line.right])
            if residue not in seen:
                break
        lines.append(line)
        residues.append(residue)
        seen.add(residue)
    return Program(tuple(lines))


def _random_line(rng: Rng, number: int) -> Instruction:
    late, early = (rng.integers(max(0, number - back), number - 1) for back in (2, 6))
    left, right = (late, early) if rng.integers(0, 1) else (early, late)
    return Instruction(f"a{number}", rng.choice(OPERATIONS), left, right)


def _residue(operation: str, a: int, b: int) -> int:
    match operation:
        case "+":
            return (a + b) % _PRIME
        case "-":
            return (a - b) % _PRIME
        case _:
            return a * b % _PRIME


POSSLP = register(
    Family(
        name="posslp",
        summary="random straight-line programs on polynomial activations: the sign of their value "
        "(docs/reductions.md 7)",
        source="Allender, Bürgisser, Kjeldgaard-Pedersen & Miltersen 2009",
        parameters=(
            FamilyParameter("length", "integer", 12, "operations of the program", 1, 5000),
            FamilyParameter(
                "form",
                "choice",
                "hinge",
                "zero_one: sat iff V > 0; derivative: the derivative is V; others: sat iff V <= 0",
                choices=tuple(name for name in FORMS if name != "output"),
            ),
            POLYNOMIAL,
            FamilyParameter(
                "pin",
                "choice",
                NOT_PINNED,
                "free weights pinned by samples, for the forms absolute and squared",
                choices=(NOT_PINNED, *PINS),
            ),
        ),
        build=build,
    )
)
