"""A deterministic stream of random integers, the same on every platform and in every version.

The generator is SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), written out on Python integers, seeded with the first 64 bits of a SHA-256 digest.
The standard library's ``random`` is not used: its derived methods (``shuffle``, ``choice``) have
changed between Python versions, and a benchmark file must be reproducible byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Rng:
    """SplitMix64 keyed by a text.

    >>> Rng("example").integers(1, 6)
    5
    """

    def __init__(self, key: str) -> None:
        """Seed the stream with the first 8 bytes (big endian) of SHA-256 of ``key`` in UTF-8."""
        self._state = int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:8], "big")

    def word(self) -> int:
        """The next 64-bit word, 0 <= word < 2^64."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def integers(self, low: int, high: int) -> int:
        """A uniform integer in low..high, both ends included; exactly uniform, by rejection.

        Raises ValueError when the range is empty.
        """
        span = high - low + 1
        if span <= 0:
            raise ValueError(f"empty range {low}..{high}")
        words = max(1, -(-(span - 1).bit_length() // 64))
        limit = ((1 << (64 * words)) // span) * span
        while True:
            drawn = 0
            for _ in range(words):
                drawn = (drawn << 64) | self.word()
            if drawn < limit:
                return low + drawn % span

    def choice(self, items: Sequence[T]) -> T:
        """A uniform element of a non-empty sequence."""
        return items[self.integers(0, len(items) - 1)]

    def shuffle(self, items: Sequence[T]) -> list[T]:
        """A uniformly permuted copy (Fisher-Yates, from the last position down)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.integers(0, last)
            result[last], result[other] = result[other], result[last]
        return result

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` elements at distinct positions, in the order of ``items``.

        Raises ValueError when ``count`` is negative or exceeds ``len(items)``.
        """
        if not 0 <= count <= len(items):
            raise ValueError(f"cannot sample {count} of {len(items)}")
        positions = sorted(self.shuffle(range(len(items)))[:count])
        return [items[position] for position in positions]

    def few(self, items: Sequence[T], count: int) -> list[T]:
        """As :meth:`sample`, by ``count`` draws whatever ``len(items)``: another use of the stream.

        Floyd's method (Bentley & Floyd, "A sample of brilliance", CACM 1987).
        """
        if not 0 <= count <= len(items):
            raise ValueError(f"cannot sample {count} of {len(items)}")
        chosen: set[int] = set()
        for last in range(len(items) - count, len(items)):
            position = self.integers(0, last)
            chosen.add(last if position in chosen else position)
        return [items[position] for position in sorted(chosen)]
