"""What a command prints, and how text of any origin is made fit for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LINE_LIMIT = 1500
"""Longest line of an error or warning, in characters."""


@dataclass(frozen=True)
class Output:
    """The result of a command.

    Attributes:
        status: exit status.
        text: lines for people.
        document: the object that ``--json`` prints.
        afterwards: an error that happened after the result was there, such as a certificate file
            that could not be written: printed after it, with exit status 2.
    """

    status: int
    text: Sequence[str]
    document: dict[str, Any]
    afterwards: Exception | None = None

    def render(self, *, as_json: bool) -> str:
        """The text for standard output."""
        if as_json:
            return json.dumps(self.document, allow_nan=False) + "\n"
        return "".join(f"{printable(line)}\n" for line in self.text)


def printable(text: str) -> str:
    """The text with control characters, line ends and lone surrogates written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def one_line(text: str) -> str:
    """Printable, and no longer than :data:`LINE_LIMIT`: the middle goes, both ends tell most."""
    line = printable(text)
    if len(line) <= LINE_LIMIT:
        return line
    half = LINE_LIMIT // 2 - 5
    return f"{line[:half]} [...] {line[-half:]}"


def complain(kind: str, text: str) -> None:
    """Write ``ermbit: KIND: TEXT`` to standard error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(one_line(f"ermbit: {kind}: {text}") + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody listens


def columns(rows: Sequence[Sequence[object]], indent: str = "  ") -> list[str]:
    """Rows of a table as lines, the first column to the left, all others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = []
    for row in cells:
        line = [row[0].ljust(widths[0])]
        line += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(indent + "  ".join(line).rstrip())
    return lines
