"""A growing clause list with hashed gates.

A literal is a non-zero integer as in DIMACS. Variable 1 is constant true, so the literals ``TRUE``
and ``FALSE`` exist in every formula and gates fold them away. Every gate is encoded in both
directions (an equivalence: Tseitin 1968), so unit propagation from the inputs determines every
gate, and the gates do not change the number of models over the inputs.

Gates are hashed structurally: the same gate asked for twice is the same literal. Inputs are first
brought to a normal form (sorted; signs moved out of exclusive-ors and majorities).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ermbit_encodings.errors import EncodingError, EncodingLimitError

__all__ = ["FALSE", "TRUE", "Cnf"]

TRUE: Final = 1
FALSE: Final = -1

_CHECK_INTERVAL: Final = 4096


class Cnf:
    """Clauses over variables 1..``variables``; variable 1 is constant true.

    ``clause_limit`` bounds the number of clauses: the gate or clause that passes it raises
    `EncodingLimitError`. ``interrupt`` is called about every 4096 clauses and stops the
    construction by raising whatever error the caller wants to see (a deadline, a cancellation).
    After either error the formula is incomplete and must be thrown away.
    """

    __slots__ = (
        "_and2",
        "_and_wide",
        "_interrupt",
        "_limit",
        "_majority",
        "_mux",
        "_next_check",
        "_xor2",
        "_xor3",
        "clauses",
        "variables",
    )

    def __init__(
        self,
        *,
        clause_limit: int | None = None,
        interrupt: Callable[[], None] | None = None,
    ) -> None:
        self.clauses: list[tuple[int, ...]] = [(TRUE,)]
        self.variables: int = 1
        self._and2: dict[tuple[int, int], int] = {}
        self._and_wide: dict[tuple[int, ...], int] = {}
        self._xor2: dict[tuple[int, int], int] = {}
        self._xor3: dict[tuple[int, int, int], int] = {}
        self._majority: dict[tuple[int, int, int], int] = {}
        self._mux: dict[tuple[int, int, int], int] = {}
        self._limit = sys.maxsize if clause_limit is None else clause_limit
        self._interrupt = interrupt
        self._next_check = 0
        self._checkpoint()

    def _checkpoint(self) -> None:
        count = len(self.clauses)
        if count > self._limit:
            raise EncodingLimitError(
                f"the encoding needs more than {self._limit} clauses, the limit that was set"
            )
        self._next_check = self._limit + 1
        if self._interrupt is not None:
            self._interrupt()
            self._next_check = min(self._next_check, count + _CHECK_INTERVAL)

    # -- inputs and clauses ---------------------------------------------------------------------

    def fresh(self) -> int:
        """A new variable, as its positive literal."""
        self.variables += 1
        return self.variables

    def fresh_many(self, count: int) -> list[int]:
        """``count`` new variables, as positive literals."""
        first = self.variables + 1
        self.variables += count
        return list(range(first, first + count))

    def add_clause(self, literals: Iterable[int]) -> None:
        """Add a disjunction.

        False constants and repetitions are dropped, clauses that always hold are not stored, and
        the empty clause is stored as the contradiction ``(FALSE,)``. Raises `EncodingError` for a
        literal 0 or for a variable that does not exist.
        """
        kept: dict[int, None] = {}
        for literal in literals:
            if literal == TRUE or -literal in kept:
                return
            if literal == 0 or not -self.variables <= literal <= self.variables:
                raise EncodingError(f"{literal} is not a literal of this formula")
            if literal != FALSE:
                kept[literal] = None
        self.clauses.append(tuple(kept) if kept else (FALSE,))
        if len(self.clauses) >= self._next_check:
            self._checkpoint()

    def require(self, literal: int) -> None:
        """Add the unit clause ``literal``."""
        self.add_clause((literal,))

    # -- gates ----------------------------------------------------------------------------------

    def and_(self, a: int, b: int) -> int:
        """The literal of ``a and b``."""
        if a > b:
            a, b = b, a
        if a == b or b == TRUE:
            return a
        if a == -b or a == FALSE or b == FALSE:
            return FALSE
        if a == TRUE:
            return b
        gate = self._and2.get((a, b))
        if gate is None:
            self.variables = gate = self.variables + 1
            self._and2[a, b] = gate
            self.clauses += ((-gate, a), (-gate, b), (gate, -a, -b))
            if len(self.clauses) >= self._next_check:
                self._checkpoint()
        return gate

    def or_(self, a: int, b: int) -> int:
        """The literal of ``a or b``."""
        return -self.and_(-a, -b)

    def and_all(self, literals: Iterable[int]) -> int:
        """The literal of the conjunction; the empty conjunction is true."""
        kept: set[int] = set()
        for literal in literals:
            if literal == FALSE or -literal in kept:
                return FALSE
            if literal != TRUE:
                kept.add(literal)
        if not kept:
            return TRUE
        if len(kept) == 1:
            return kept.pop()
        key = tuple(sorted(kept))
        if len(key) == 2:
            return self.and_(key[0], key[1])
        gate = self._and_wide.get(key)
        if gate is None:
            self.variables = gate = self.variables + 1
            self._and_wide[key] = gate
            clauses = self.clauses
            for literal in key:
                clauses.append((-gate, literal))
            clauses.append((gate, *(-literal for literal in key)))
            if len(clauses) >= self._next_check:
                self._checkpoint()
        return gate

    def or_all(self, literals: Iterable[int]) -> int:
        """The literal of the disjunction; the empty disjunction is false."""
        return -self.and_all([-literal for literal in literals])

    def xor(self, a: int, b: int) -> int:
        """The literal of ``a != b``."""
        sign = 1
        if a < 0:
            a, sign = -a, -sign
        if b < 0:
            b, sign = -b, -sign
        if a > b:
            a, b = b, a
        if a == b:
            return -sign
        if a == TRUE:
            return -sign * b
        gate = self._xor2.get((a, b))
        if gate is None:
            self.variables = gate = self.variables + 1
            self._xor2[a, b] = gate
            self.clauses += (
                (-gate, a, b),
                (-gate, -a, -b),
                (gate, -a, b),
                (gate, a, -b),
            )
            if len(self.clauses) >= self._next_check:
                self._checkpoint()
        return sign * gate

    def xor3(self, a: int, b: int, c: int) -> int:
        """The literal of the parity of three literals (the sum bit of a full adder)."""
        sign = 1
        if a < 0:
            a, sign = -a, -sign
        if b < 0:
            b, sign = -b, -sign
        if c < 0:
            c, sign = -c, -sign
        if a > b:
            a, b = b, a
        if b > c:
            b, c = c, b
            if a > b:
                a, b = b, a
        if a == b:
            return sign * c
        if b == c:
            return sign * a
        if a == TRUE:
            return -sign * self.xor(b, c)
        gate = self._xor3.get((a, b, c))
        if gate is None:
            self.variables = gate = self.variables + 1
            self._xor3[a, b, c] = gate
            self.clauses += (
                (-gate, a, b, c),
                (-gate, a, -b, -c),
                (-gate, -a, b, -c),
                (-gate, -a, -b, c),
                (gate, -a, -b, -c),
                (gate, -a, b, c),
                (gate, a, -b, c),
                (gate, a, b, -c),
            )
            if len(self.clauses) >= self._next_check:
                self._checkpoint()
        return sign * gate

    def majority(self, a: int, b: int, c: int) -> int:
        """The literal of "at least two of three" (the carry bit of a full adder)."""
        if abs(a) > abs(b):
            a, b = b, a
        if abs(b) > abs(c):
            b, c = c, b
            if abs(a) > abs(b):
                a, b = b, a
        # Equal or opposite literals are neighbours now, and a constant comes first.
        if a == b:
            return a
        if a == -b:
            return c
        if b == c:
            return b
        if b == -c:
            return a
        if a == TRUE:
            return self.or_(b, c)
        if a == FALSE:
            return self.and_(b, c)
        sign = 1
        if a < 0:  # majority is self-dual
            a, b, c, sign = -a, -b, -c, -1
        gate = self._majority.get((a, b, c))
        if gate is None:
            self.variables = gate = self.variables + 1
            self._majority[a, b, c] = gate
            self.clauses += (
                (-gate, a, b),
                (-gate, a, c),
                (-gate, b, c),
                (gate, -a, -b),
                (gate, -a, -c),
                (gate, -b, -c),
            )
            if len(self.clauses) >= self._next_check:
                self._checkpoint()
        return sign * gate

    def mux(self, condition: int, then: int, otherwise: int) -> int:
        """The literal of ``then if condition else otherwise``.

        The two clauses that do not mention the condition are implied; they let propagation pass
        when both branches agree.
        """
        if condition < 0:
            condition, then, otherwise = -condition, otherwise, then
        if condition == TRUE or then == otherwise:
            return then
        if then == -otherwise:
            return -self.xor(condition, then)
        if then in (TRUE, condition):
            return self.or_(condition, otherwise)
        if then in (FALSE, -condition):
            return self.and_(-condition, otherwise)
        if otherwise in (TRUE, -condition):
            return self.or_(-condition, then)
        if otherwise in (FALSE, condition):
            return self.and_(condition, then)
        sign = 1
        if then < 0:
            then, otherwise, sign = -then, -otherwise, -1
        gate = self._mux.get((condition, then, otherwise))
        if gate is None:
            self.variables = gate = self.variables + 1
            self._mux[condition, then, otherwise] = gate
            self.clauses += (
                (-gate, -condition, then),
                (gate, -condition, -then),
                (-gate, condition, otherwise),
                (gate, condition, -otherwise),
                (-gate, then, otherwise),
                (gate, -then, -otherwise),
            )
            if len(self.clauses) >= self._next_check:
                self._checkpoint()
        return sign * gate

    def full_adder(self, a: int, b: int, c: int) -> tuple[int, int]:
        """(sum, carry): a + b + c = sum + 2 carry."""
        return self.xor3(a, b, c), self.majority(a, b, c)

    def half_adder(self, a: int, b: int) -> tuple[int, int]:
        """(sum, carry): a + b = sum + 2 carry."""
        return self.xor(a, b), self.and_(a, b)

    def parity(self, literals: Sequence[int]) -> int:
        """The literal of the exclusive-or of any number of literals."""
        queue = list(literals)
        while len(queue) > 2:
            rest = len(queue) % 3
            merged = [self.xor3(*queue[i : i + 3]) for i in range(0, len(queue) - rest, 3)]
            queue = merged + queue[len(queue) - rest :]
        if not queue:
            return FALSE
        return queue[0] if len(queue) == 1 else self.xor(queue[0], queue[1])
