"""Straight-line programs, and the polynomial networks that compute them exactly.

A program is a list of instructions ``a = 1``, ``a = -1``, ``a = b + c``, ``a = b - c``,
``a = b * c``; its value V is that of the last one. PosSLP asks whether V > 0 (Allender, Bürgisser,
Kjeldgaard-Pedersen & Miltersen 2009). docs/straight-line-programs.md has the construction.
"""

from ermbit_instances.straight_line.forms import (
    FORMS,
    CompiledProgram,
    compile_program,
    program_instance,
)
from ermbit_instances.straight_line.network_of_program import ProgramNetwork, network_of_program
from ermbit_instances.straight_line.permanent import (
    permanent,
    permanent_instance,
    permanent_window,
    read_matrix,
    read_permanent,
)
from ermbit_instances.straight_line.pinning import PINS
from ermbit_instances.straight_line.products import read_polynomial
from ermbit_instances.straight_line.program import Instruction, Program
from ermbit_instances.straight_line.program_file import (
    load_program,
    parse_program,
    write_program,
)

__all__ = [
    "FORMS",
    "PINS",
    "CompiledProgram",
    "Instruction",
    "Program",
    "ProgramNetwork",
    "compile_program",
    "load_program",
    "network_of_program",
    "parse_program",
    "permanent",
    "permanent_instance",
    "permanent_window",
    "program_instance",
    "read_matrix",
    "read_permanent",
    "read_polynomial",
    "write_program",
]
