"""Sums of weighted literals by carry-save compression.

Literals are collected in columns of equal weight 2^i, together with one integer constant. A literal
of negative weight is replaced by its complement, -x = (1 - x) - 1, so that sign bits, differences
and negative coefficients all become positive literals plus a constant, and no sign is ever extended
(Baugh, Wooley, IEEE Trans. Comput. C-22, 1973). The columns are then reduced with full and half
adders, first in first out, which balances the tree (Wallace, IEEE Trans. EC-13, 1964; Dadda, Alta
Frequenza 34, 1965). Everything is computed modulo 2^n, where n bits suffice for the proved range.
"""

from __future__ import annotations

from collections import deque

from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.word import Word, fitted, free_width

__all__ = ["Columns", "signed_digits"]


def signed_digits(coefficient: int) -> list[tuple[int, bool]]:
    """The canonical signed-digit form: (position, negative) of each non-zero digit, ascending.

    No two neighbouring digits are non-zero and the number of digits is the least possible
    (Reitwiesner, Advances in Computers 1, 1960). Zero has no digits.
    """
    digits: list[tuple[int, bool]] = []
    position = 0
    while coefficient:
        zeros = (coefficient & -coefficient).bit_length() - 1
        coefficient >>= zeros
        position += zeros
        negative = coefficient & 3 == 3
        digits.append((position, negative))
        coefficient += 1 if negative else -1
    return digits


class Columns:
    """A sum under construction whose value is proved to lie in [lo, hi]."""

    __slots__ = ("_cells", "_constant", "hi", "lo", "modulus_bits")

    def __init__(self, lo: int, hi: int, constant: int = 0) -> None:
        self.lo = lo
        self.hi = hi
        self.modulus_bits = free_width(lo, hi)
        self._cells: list[list[int]] = [[] for _ in range(self.modulus_bits)]
        self._constant = constant

    def add_bit(self, literal: int, position: int, negative: bool = False) -> None:
        """Add plus or minus 2^position times the literal."""
        if position >= self.modulus_bits or literal == FALSE:
            return
        if literal == TRUE:
            self._constant += -1 << position if negative else 1 << position
        elif negative:
            self._constant -= 1 << position
            self._cells[position].append(-literal)
        else:
            self._cells[position].append(literal)

    def add_word(self, word: Word, coefficient: int = 1) -> None:
        """Add an integer multiple of a word."""
        last = len(word.bits) - 1
        for shift, negative in signed_digits(coefficient):
            for position, literal in enumerate(word.bits):
                self.add_bit(literal, position + shift, negative != (position == last))

    def add_product(self, cnf: Cnf, a: Word, b: Word) -> None:
        """Add the product of two words."""
        if b.lo == -1 and b.hi == 1:
            a, b = b, a
        if a.lo == -1 and a.hi == 1:
            self._add_ternary_product(cnf, a, b)
            return
        last_a, last_b = len(a.bits) - 1, len(b.bits) - 1
        for i, a_bit in enumerate(a.bits):
            if a_bit == FALSE:
                continue
            for j, b_bit in enumerate(b.bits[: max(self.modulus_bits - i, 0)]):
                negative = (i == last_a) != (j == last_b)
                self.add_bit(cnf.and_(a_bit, b_bit), i + j, negative)

    def _add_ternary_product(self, cnf: Cnf, factor: Word, b: Word) -> None:
        # A factor in {-1, 0, 1} keeps, clears or negates b: -b is the complement of b plus one.
        nonzero, minus = factor.bits
        last = len(b.bits) - 1
        for j, b_bit in enumerate(b.bits[: self.modulus_bits]):
            self.add_bit(cnf.and_(nonzero, cnf.xor(b_bit, minus)), j, j == last)
        self.add_bit(minus, 0)

    def reduce(self, cnf: Cnf) -> Word:
        """The sum as a word. The columns are used up."""
        bits: list[int] = []
        carries: list[int] = []
        top = self.modulus_bits - 1
        for position in range(self.modulus_bits):
            column = self._cells[position] + carries
            carries = []
            queue = deque(self._without_repetitions(column, position, carries))
            self._cells[position] = []
            if self._constant >> position & 1:
                queue.appendleft(TRUE)
            if position == top:
                bits.append(cnf.parity(list(queue)))
                break
            while len(queue) > 2:
                total, carry = cnf.full_adder(queue.popleft(), queue.popleft(), queue.popleft())
                queue.append(total)
                carries.append(carry)
            if len(queue) == 2:
                total, carry = cnf.half_adder(queue[0], queue[1])
                bits.append(total)
                carries.append(carry)
            else:
                bits.append(queue[0] if queue else FALSE)
        return fitted(bits or (FALSE,), self.lo, self.hi)

    def _without_repetitions(
        self, column: list[int], position: int, carries: list[int]
    ) -> list[int]:
        # x + x is x in the next column; x + not x is one.
        kept: dict[int, None] = {}
        for literal in column:
            if literal == FALSE:
                continue
            if literal == TRUE or -literal in kept:
                self._constant += 1 << position
                kept.pop(-literal, None)
            elif literal in kept:
                carries.append(literal)
                del kept[literal]
            else:
                kept[literal] = None
        return list(kept)
