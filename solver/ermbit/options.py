"""The options of a search, as data: one row an option, for the command line, checks and docs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from ermbit_instances.errors import UsageError


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: of the keyword argument; ``--name`` on the command line.
        type: ``int``, ``float`` or ``str``.
        default: value when it is not given; ``None`` for what ``otherwise`` says.
        low, high: bounds of a number, both included; ``None`` for none.
        unit: of the value; stands for it in the help.
        otherwise: meaning of the default, in words.
        help: what it does.
    """

    name: str
    type: type[int] | type[float] | type[str]
    default: int | float | str | None
    low: float | None
    high: float | None
    unit: str
    otherwise: str
    help: str

    @property
    def range(self) -> str:
        """The legal values in words."""
        if self.low is None:
            return "any"
        return f"at least {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"

    def check(self, value: object) -> int | float | str | None:
        """The value, if it is legal.

        Raises:
            UsageError: wrong type or outside the range.
        """
        if value is None and self.default is None:
            return None
        if self.type is str:
            if not isinstance(value, str):
                raise UsageError(f"{self.name}: expected a text, not {type(value).__name__}")
            return value
        wanted = "an integer" if self.type is int else "a number"
        allowed = int if self.type is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise UsageError(f"{self.name}: expected {wanted}, not {value!r:.60}")
        below = self.low is not None and not value >= self.low  # refuses NaN too
        if below or (self.high is not None and value > self.high):
            raise UsageError(f"{self.name}: must be {self.range}, not {value}")
        return value

    def read(self, text: str) -> int | float | str | None:
        """The value that a command-line word denotes.

        Raises:
            UsageError: as :meth:`check`.
        """
        if self.type is str:
            return text
        try:
            # Longer words are no sensible number, and Python refuses or is slow to read them.
            value = self.type(text if len(text) <= 40 else "")
        except ValueError:
            wanted = "an integer" if self.type is int else "a number"
            raise UsageError(f"{self.name}: expected {wanted}, not {text[:60]!r}") from None
        return self.check(value)


ENGINE = Option(
    "engine",
    str,
    "auto",
    None,
    None,
    "NAME",
    "those that fit the instance, raced",
    "one engine by name, or 'auto', or 'cross-check': every complete engine runs to its end, "
    "and all must agree",
)
TIMEOUT = Option("timeout", float, None, 0, None, "S", "no limit", "seconds of wall-clock time")
MEMORY = Option(
    "memory", int, None, 1, 2**40, "MB", "no limit", "megabytes for all engines together"
)
NUMBER_MEMORY = Option(
    "memory", int, None, 1, 2**40, "MB", "1024", "megabytes that the numbers may take"
)
THREADS = Option(
    "threads",
    int,
    None,
    1,
    4096,
    "K",
    "one for each processor, at least three",
    "engines that run at the same time",
)
SEED = Option(
    "seed",
    int,
    0,
    0,
    2**31 - 1,
    "K",
    "0",
    "seed of random choices: certificates may depend on it, answers never do",
)

SEARCH: tuple[Option, ...] = (ENGINE, TIMEOUT, MEMORY, THREADS, SEED)
"""The options of ``solve`` and ``minimize``."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Checked values of :data:`SEARCH`."""

    engine: str = "auto"
    timeout: float | None = None
    memory: int | None = None
    threads: int = 3
    seed: int = 0


def search_options(
    *,
    engine: object = "auto",
    timeout: object = None,
    memory: object = None,
    threads: object = None,
    seed: object = 0,
) -> SearchOptions:
    """Check the options of a search and fill in the defaults.

    Raises:
        UsageError: an option of the wrong type or out of range.
    """
    given = {
        "engine": engine,
        "timeout": timeout,
        "memory": memory,
        "threads": threads,
        "seed": seed,
    }
    values = {option.name: option.check(given[option.name]) for option in SEARCH}
    if values["timeout"] == math.inf:
        values["timeout"] = None
    if values["threads"] is None:
        values["threads"] = default_threads()
    return SearchOptions(**values)  # type: ignore[arg-type]


def default_threads() -> int:
    """Processors that this process may use, but at least three: engines complement each other."""
    return max(3, processors())


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
