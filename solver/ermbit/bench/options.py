"""The options of ``ermbit bench`` that are numbers, and the reading of those that are lists."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ermbit.options import SEED, Option
from ermbit_instances.errors import UsageError

MOST_SEEDS = 100_000

OPTIONS: tuple[Option, ...] = (
    Option(
        "timeout", float, 20.0, 0.1, 1e6, "S", "20", "wall-clock seconds of one solver on one case"
    ),
    Option(
        "memory", int, 4096, 32, 2**30, "MB", "4096", "megabytes of a solver and all its processes"
    ),
    Option(
        "jobs", int, 1, 1, 1024, "J", "1", "runs side by side; each has its share of the processors"
    ),
    Option("seed", int, SEED.default, SEED.low, SEED.high, "K", "0", "seed that solvers get"),
)
"""Limits of a run."""

_SEEDS = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?\Z", re.ASCII)


def read_list(text: str) -> list[str]:
    """Names by commas, none for an empty text."""
    return [name.strip() for name in text.split(",") if name.strip()]


def read_seeds(text: str) -> list[int]:
    """``0-9``, ``3``, ``1,5,7-9``.

    Raises:
        UsageError: not of this form, or too many.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = _SEEDS.match(part.strip())
        if match is None:
            raise UsageError(f"seeds: expected K or K-L, by commas, not {text[:60]!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= MOST_SEEDS:
            raise UsageError(f"seeds: {part.strip()[:60]} are none, or too many")
        found.update(dict.fromkeys(range(first, last + 1)))
    return list(found)


def read_settings(texts: Sequence[str]) -> dict[str, list[str]]:
    """``KEY=VALUE`` texts as key → values, of keys given several times all.

    Raises:
        UsageError: not of this form.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"with: expected KEY=VALUE, not {text[:60]!r}")
        values = found.setdefault(key, [])
        if value not in values:
            values.append(value)
    return found
