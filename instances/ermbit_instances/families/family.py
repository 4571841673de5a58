"""What a family of instances is, and the register of all families.

A family is a named, documented, deterministic map from (seed, parameters) to an instance document
and, where a solution is planted or a theorem gives one, a certificate document. A module of this
package that calls :func:`register` adds a family; nothing else has to be edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ermbit_instances.documents import Document, certificate_document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.families.rng import Rng
from ermbit_instances.rational import Rational, as_rational, shorten, write_rational

__all__ = [
    "Build",
    "Document",
    "Family",
    "FamilyError",
    "FamilyParameter",
    "Generated",
    "ParameterValue",
    "certificate_document",
    "instance_document",
    "read_integer",
    "read_rational",
    "register",
    "registered",
]

ParameterValue = int | str

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class FamilyError(UsageError):
    """An unknown family or parameter, or a value that the family does not allow."""


def read_rational(value: object, what: str) -> Rational:
    """The rational that an int, a Fraction or a text (``-7``, ``3/4``, ``0.125``) denotes.

    Raises FamilyError, naming ``what``, for anything else (floats included: write 0.1 as a text).
    """
    try:
        return as_rational(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError) as error:
        raise FamilyError(f"{what}: {error}") from None


def read_integer(text: str, what: str) -> int:
    """The integer that a text denotes; FamilyError, naming ``what``, for anything else."""
    value = read_rational(text, what)
    if value.denominator != 1:
        raise FamilyError(f"{what}: expected integers, got {text}")
    return int(value.numerator)


@dataclass(frozen=True)
class FamilyParameter:
    """One parameter of a family: its type, default and legal values.

    ``type`` is ``integer`` (within low..high), ``rational`` (within low..high), ``choice`` (one of
    ``choices``), ``flag`` (``yes`` or ``no``) or ``text`` (a short notation that the family reads).
    """

    name: str
    type: Literal["integer", "rational", "choice", "flag", "text"]
    default: ParameterValue
    help: str
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()

    def read(self, value: object) -> ParameterValue:
        """The canonical form of ``value`` (an int, or a text; ``"3"`` and 3 are the same integer).

        Raises FamilyError when the value is not of the type or outside the range.
        """
        match self.type:
            case "integer":
                integer = self._integer(value)
                self._check_range(integer)
                return integer
            case "rational":
                rational = read_rational(value, f"parameter {self.name}")
                self._check_range(rational)
                return write_rational(rational)
            case "flag":
                return self._flag(value)
            case "choice":
                if value not in self.choices:
                    raise self._refused(value, "one of " + ", ".join(self.choices))
                return str(value)
            case "text":
                if isinstance(value, bool) or not isinstance(value, (str, int)):
                    raise self._refused(value, "a text")
                return str(value).strip()

    def _integer(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            return int(value)
        raise self._refused(value, "an integer")

    def _flag(self, value: object) -> str:
        meaning = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
        key = str(value).lower() if isinstance(value, (bool, str)) else ""
        if key not in meaning:
            raise self._refused(value, "yes or no")
        return meaning[key]

    def _check_range(self, value: Rational | int) -> None:
        if self.low is not None and value < self.low:
            raise self._refused(value, f"at least {self.low}")
        if self.high is not None and value > self.high:
            raise self._refused(value, f"at most {self.high}")

    def _refused(self, value: object, expected: str) -> FamilyError:
        return FamilyError(f"parameter {self.name}: expected {expected}, got {shorten(str(value))}")


@dataclass(frozen=True)
class Generated:
    """An instance document (format ``ermbit-instance``) and, if known, a certificate document.

    ``document["meta"]`` holds ``status`` (``sat``, ``unsat``, ``unknown``), ``how`` (how the status
    is known) and ``minimum`` where the least loss is known. ``families.generate`` adds ``family``,
    ``parameters``, ``seed`` and ``source``. All numbers are ints or ``"p/q"`` texts.
    """

    document: Document
    certificate: Document | None = None


Build = Callable[[Rng, Mapping[str, Any]], Generated]


@dataclass(frozen=True)
class Family:
    """A named map from (seed, parameters) to instances; ``source`` cites where it comes from."""

    name: str
    summary: str
    source: str
    parameters: tuple[FamilyParameter, ...]
    build: Build

    def read_parameters(self, given: Mapping[str, object]) -> dict[str, ParameterValue]:
        """All parameters in declared order: those given, read, and the defaults of the others.

        Raises FamilyError for a name that the family does not have, or an illegal value.
        """
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                raise FamilyError(
                    f"family {self.name} has no parameter {name!r} (it has {', '.join(known)})"
                )
        return {
            parameter.name: parameter.read(given.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }


_REGISTERED: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Add a family to the register; a second family of the same name is a ValueError."""
    if family.name in _REGISTERED:
        raise ValueError(f"two families are called {family.name}")
    _REGISTERED[family.name] = family
    return family


def registered() -> dict[str, Family]:
    """The register, by name in alphabetical order (modules that were not imported are missing)."""
    return dict(sorted(_REGISTERED.items()))
