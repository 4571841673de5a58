"""A cursor on a parsed JSON document: every fault named by file, JSON path and reason.

A :class:`Node` knows its path, so that readers of formats say *where* something is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.rational import Rational, as_rational, parse_decimal, shorten

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


class RawNumber:
    """A number of a JSON text that is not a short integer: its characters, not yet a value."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class RawObject(dict[str, Any]):
    """A JSON object that remembers the keys that occurred twice."""

    __slots__ = ("duplicates",)
    duplicates: tuple[str, ...]


class Node:
    """A place in a parsed JSON document: its value, its path, and the file it came from.

    Readers call the method for what they expect there; anything else raises
    :class:`~ermbit_instances.errors.InputError` with file and path filled in.
    """

    __slots__ = ("expansion", "file", "path", "value")

    def __init__(
        self, value: Any, path: str, file: str | None, expansion: list[int] | None = None
    ) -> None:
        self.value = value
        self.path = path
        self.file = file
        # Digits that exponents have expanded to, counted over the whole file.
        self.expansion = [0] if expansion is None else expansion

    def member(self, value: Any, path: str) -> Node:
        """A node below this one, of the same file."""
        return Node(value, path, self.file, self.expansion)

    def fail(self, reason: str) -> NoReturn:
        raise InputError(reason, file=self.file, path=self.path)

    def refuse(self, reason: str) -> NoReturn:
        """Like :meth:`fail`, for a value past a limit."""
        raise LimitError(reason, file=self.file, path=self.path)

    def at(self, step: str | int) -> Node:
        """The member of an object or list that is known to be there."""
        return self.member(self.value[step], child_path(self.path, step))

    def keys(self, *, required: Iterable[str] = (), optional: Iterable[str] = ()) -> None:
        """Check that this is an object with exactly the keys of a format."""
        value = self._mapping()
        required = tuple(required)
        known = {*required, *optional}
        for key in value:
            if key not in known:
                where = Node(None, child_path(self.path, key), self.file)
                where.fail(f"unknown key; known here: {', '.join(sorted(known)) or 'none'}")
        for key in required:
            if key not in value:
                self.fail(f"the key {key!r} is missing")

    def _mapping(self) -> Mapping[str, Any]:
        value = self.value
        if not isinstance(value, Mapping):
            self.fail(f"expected an object, not {describe(value)}")
        for key in getattr(value, "duplicates", ()):
            Node(None, child_path(self.path, key), self.file).fail("the key occurs twice")
        return value

    def items(self) -> Iterator[tuple[str, Node]]:
        for key in self._mapping():
            if not isinstance(key, str):
                self.fail("keys must be strings")
            yield key, self.at(key)

    def get(self, key: str) -> Node | None:
        """The member, or ``None`` where the key is absent."""
        return self.at(key) if key in self._mapping() else None

    def elements(self, *, of: str = "list") -> list[Node]:
        return [
            self.member(value, f"{self.path}[{i}]") for i, value in enumerate(self.array(of))
        ]

    def array(self, of: str = "list") -> list[Any]:
        value = self.value
        if isinstance(value, tuple):
            value = list(value)
        if not isinstance(value, list):
            self.fail(f"expected a {of}, not {describe(value)}")
        return value

    def string(self) -> str:
        if not isinstance(self.value, str):
            self.fail(f"expected a string, not {describe(self.value)}")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail(f"expected true or false, not {describe(self.value)}")
        return self.value

    def rational(self) -> Rational:
        value = self.value
        try:
            if isinstance(value, RawNumber | str):
                text = value.text if isinstance(value, RawNumber) else value
                number, places = parse_decimal(text)
                self.expansion[0] += places
                if self.expansion[0] > limits.EXPANSION.value:
                    self.refuse(
                        "the exponents in this file expand to more than the limit of "
                        f"{limits.EXPANSION.value} digits"
                    )
                return number
            if isinstance(value, bool) or value is None or isinstance(value, float):
                self.fail(f"expected an exact number, not {describe(value)}")
            return as_rational(value)
        except TypeError:
            self.fail(f"expected a number, not {describe(value)}")
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            self.fail(str(error))

    def integer(self, low: int | None = None, high: int | None = None) -> int:
        """An integer in [low, high]; ``3.0`` and ``"3"`` are integers too."""
        value = self.rational()
        if value.denominator != 1:
            self.fail(f"expected an integer, not {describe(self.value)}")
        if low is not None and value < low:
            self.fail(f"must be at least {low}")
        if high is not None and value > high:
            self.refuse(f"must be at most {high}")
        return int(value.numerator)

    def check_free_form(self) -> None:
        """Check a part without a format: depth, duplicate keys, and numbers that are none."""
        stack: list[tuple[Node, int]] = [(self, 0)]
        while stack:
            node, depth = stack.pop()
            value = node.value
            if depth > limits.DEPTH.value:
                self.refuse(f"nested deeper than the limit of {limits.DEPTH.value} levels")
            if isinstance(value, Mapping):
                stack.extend((child, depth + 1) for _, child in node.items())
            elif isinstance(value, list):
                stack.extend((child, depth + 1) for child in node.elements())
            elif isinstance(value, RawNumber) and value.text.lstrip("-") in ("NaN", "Infinity"):
                node.fail(f"{value.text} is not a number")

    def plain(self) -> Any:
        """The value with numbers as ints or strings, fit for writing again."""
        return _plain(self.value)


def _plain(value: Any) -> Any:
    if isinstance(value, RawNumber):
        return value.text
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return value


def describe(value: Any) -> str:
    """What a JSON value is, for messages: ``a list``, ``the string 'abc'``, ``null``, …"""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, RawNumber):
        return shorten(value.text)
    if isinstance(value, str):
        return f"the string {shorten(value)}"
    if isinstance(value, int | float | mpq):
        return shorten(str(value))
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return type(value).__name__


def child_path(path: str, step: str | int) -> str:
    """JSON path of a member: ``path.key``, ``path["odd key"]`` or ``path[3]``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    if len(step) > 60:
        step = step[:57] + "..."
    return f"{path}.{step}" if _IDENTIFIER.match(step) else f"{path}[{json.dumps(step)}]"
