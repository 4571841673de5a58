"""Program files ``NAME.slp``: one instruction a line.

::

    # ((1 + 1)^2)^2 - 1
    one = 1
    two = one + one
    four = two * two
    sixteen = four * four
    answer = sixteen - one

``1`` and ``-1`` are the only constants and have lines of their own; operands are names of earlier
lines; ``#`` begins a comment; blank lines do not count; the last line is the value.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn, cast

from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.files import read_bytes
from ermbit_instances.rational import shorten
from ermbit_instances.straight_line.program import CONSTANTS, NAME, Instruction, Operation, Program

_SPACE = " \t"
_TERM = re.compile(r"([^-+*]*?)[ \t]*([-+*])[ \t]*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?[ \t]*[0-9][0-9.eE/]*")
_LINE_LENGTH = 400  # characters, without its comment: enough for three names
_FORMS = "NAME = 1, NAME = -1 or NAME = A + B (or - or *)"


def load_program(path: str | Path) -> Program:
    """Read a program file.

    Raises:
        MissingFileError: it cannot be read.
        LimitError: it is past the limits ``slp_bytes`` or ``slp_lines``.
        InputError: not UTF-8, or a line is wrong: file, line number and reason.
    """
    path = Path(path)
    data = read_bytes(path, limits.SLP_BYTES)
    try:
        text = data.decode("utf-8-sig" if data[:3] == b"\xef\xbb\xbf" else "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text", file=path, path=f"line {line}") from None
    try:
        return parse_program(text)
    except InputError as error:
        raise error.in_file(path) from None


def parse_program(text: str) -> Program:
    """Read the text of a program file; errors are those of :func:`load_program`."""
    instructions: list[Instruction] = []
    place: dict[str, int] = {}
    line_of: dict[str, int] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r").partition("#")[0].strip(_SPACE)
        if not line:
            continue
        if len(line) > _LINE_LENGTH:
            _fail(number, f"longer than {_LINE_LENGTH} characters: {shorten(line)}")
        if len(instructions) == limits.SLP_LINES.value:
            raise LimitError(
                f"more than the limit of {limits.SLP_LINES.value} instructions",
                path=f"line {number}",
            )
        name, equals, right = (part.strip(_SPACE) for part in line.partition("="))
        if not equals:
            _fail(number, f"expected {_FORMS}, not {shorten(line)}")
        if NAME.fullmatch(name) is None:
            _fail(
                number,
                f"{shorten(name)} is not a name (at most 100 letters, digits and underscores, "
                "not beginning with a digit)",
            )
        if name in place:
            _fail(
                number, f"{shorten(name)} is defined a second time (first in line {line_of[name]})"
            )
        instructions.append(_instruction(number, name, right, place))
        place[name] = len(place)
        line_of[name] = number
    if not instructions:
        raise InputError("a program needs at least one instruction")
    return Program(tuple(instructions))


def _instruction(number: int, name: str, right: str, place: dict[str, int]) -> Instruction:
    if right in CONSTANTS:
        return Instruction(name, right)
    if not right:
        _fail(number, f"nothing follows the sign =; expected {_FORMS}")
    if _NUMBER.fullmatch(right):
        _fail(number, f"the constant {shorten(right)} is refused: only 1 and -1 are constants")
    match = _TERM.fullmatch(right)
    if match is None:
        _fail(number, f"expected {_FORMS}, not {shorten(right)}")
    left_text, operation, right_text = match.groups()
    operands = []
    for side, operand in (("left", left_text), ("right", right_text)):
        if not operand:
            _fail(number, f"the {side} operand of {operation} is missing")
        if _NUMBER.fullmatch(operand):
            _fail(
                number,
                f"the {side} operand {shorten(operand)} is a number: operands are names of "
                "earlier lines, constants have lines of their own",
            )
        if NAME.fullmatch(operand) is None:
            _fail(number, f"the {side} operand {shorten(operand)} is not a name")
        if operand not in place:
            _fail(number, f"the {side} operand {shorten(operand)} is not defined before this line")
        operands.append(place[operand])
    return Instruction(name, cast(Operation, operation), *operands)


def _fail(number: int, reason: str) -> NoReturn:
    raise InputError(reason, path=f"line {number}")


def write_program(program: Program) -> str:
    """The text of a program file, which :func:`parse_program` reads back."""
    lines = []
    for line in program.instructions:
        if line.is_constant:
            lines.append(f"{line.name} = {line.operation}\n")
        else:
            left, right = (program.instructions[k].name for k in (line.left, line.right))
            lines.append(f"{line.name} = {left} {line.operation} {right}\n")
    return "".join(lines)
