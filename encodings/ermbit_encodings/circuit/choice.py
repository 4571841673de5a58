"""Words that are inputs of the circuit: intervals and finite sets of integers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.comparator import restrict
from ermbit_encodings.circuit.word import Model, Word, constant, fitted, free_width
from ermbit_encodings.errors import EncodingError

__all__ = ["Choice", "choose", "input_range"]

# The diagram is built by recursion over the places; wider sets are one-hot.
_DIAGRAM_PLACES: Final = 512


@dataclass(frozen=True, slots=True)
class Choice:
    """A free word with its possible values.

    Attributes:
        word: the signal.
        values: the integers it ranges over, ascending; an interval is a ``range``.
        inputs: the fresh literals; values of the word and assignments of these that satisfy the
            formula correspond one to one.
        selectors: one literal per value in the one-hot encoding, else None.
    """

    word: Word
    values: Sequence[int]
    inputs: tuple[int, ...]
    selectors: tuple[int, ...] | None = None

    def decode(self, model: Model) -> int:
        """The chosen integer. Raises `EncodingError` if the model leaves the set of values."""
        value = self.word.value(model)
        if value not in self.values:
            raise EncodingError(f"the model gives {value}, which is not one of the values")
        return value


def _fresh_word(cnf: Cnf, lo: int, hi: int) -> Word:
    """Fresh literals for all places that [lo, hi] leaves open; the range is not asserted."""
    bits = cnf.fresh_many(free_width(lo, hi))
    if lo < 0 <= hi:
        return Word(tuple(bits), -1 << len(bits) - 1, (1 << len(bits) - 1) - 1)
    prefix = lo >> len(bits) << len(bits)
    return fitted(bits or (FALSE,), prefix, prefix + (1 << len(bits)) - 1)


def input_range(cnf: Cnf, lo: int, hi: int) -> Word:
    """A free word over all integers of [lo, hi]. Raises `EncodingError` for an empty range."""
    if lo > hi:
        raise EncodingError(f"the range [{lo}, {hi}] is empty")
    return restrict(cnf, _fresh_word(cnf, lo, hi), lo, hi)


def choose(cnf: Cnf, values: Iterable[int]) -> Choice:
    """A free word over exactly these integers. Raises `EncodingError` without any.

    An interval is `input_range`. Other sets take the smaller, in clauses, of two encodings:

    - binary: the bits of the word are free and the decision diagram of the set (Bryant, IEEE Trans.
      Comput. C-35, 1986), one multiplexer per node, is asserted over them. No separate index is
      needed; sets with structure (progressions, powers of two, floating-point numbers) have small
      diagrams.
    - one-hot: one selector per value, exactly one of them true (sequential counter, Sinz, CP 2005);
      each bit of the word is a disjunction of selectors.
    """
    ordered = sorted(set(values))
    if not ordered:
        raise EncodingError("a choice needs at least one value")
    lo, hi = ordered[0], ordered[-1]
    if lo == hi:
        return Choice(constant(lo), range(lo, lo + 1), ())
    if hi - lo + 1 == len(ordered):
        word = input_range(cnf, lo, hi)
        return Choice(word, range(lo, hi + 1), word.bits[: free_width(lo, hi)])
    places = free_width(lo, hi)
    supports = _supports(ordered, places)
    if places <= _DIAGRAM_PLACES:
        diagram = _Diagram(ordered, places)
        if diagram.clause_count() <= _one_hot_clause_count(len(ordered), supports):
            open_word = _fresh_word(cnf, lo, hi)
            inputs = open_word.bits[:places]
            cnf.require(diagram.literal(cnf, inputs))
            return Choice(fitted(open_word.bits, lo, hi), tuple(ordered), inputs)
    selectors = tuple(cnf.fresh_many(len(ordered)))
    _require_exactly_one(cnf, selectors)
    gates = {
        support: cnf.or_all([selectors[k] for k in support]) for support in dict.fromkeys(supports)
    }
    bits = [gates[support] for support in supports]
    return Choice(fitted(bits or (FALSE,), lo, hi), tuple(ordered), selectors, selectors)


# -- one-hot ------------------------------------------------------------------------------------


def _supports(ordered: Sequence[int], places: int) -> list[tuple[int, ...]]:
    """For each open place, the indices of the values that have a one there."""
    return [
        tuple(k for k, value in enumerate(ordered) if value >> position & 1)
        for position in range(places)
    ]


def _one_hot_clause_count(count: int, supports: Sequence[tuple[int, ...]]) -> int:
    gates = sum(len(s) + 1 for s in set(supports) if 1 < len(s) < count)
    return 4 * (count - 2) + 2 + gates


def _require_exactly_one(cnf: Cnf, literals: Sequence[int]) -> None:
    cnf.add_clause(literals)
    any_before = literals[0]
    for literal in literals[1:-1]:
        cnf.add_clause((-literal, -any_before))
        any_before = cnf.or_(any_before, literal)
    cnf.add_clause((-literals[-1], -any_before))


# -- decision diagram ---------------------------------------------------------------------------


class _Diagram:
    """The reduced ordered decision diagram of a set of integers, highest place first.

    Nodes 0 and 1 are the constants; node n >= 2 is (place, node if one, node if zero), children
    before parents.
    """

    def __init__(self, ordered: Sequence[int], places: int) -> None:
        self._nodes: list[tuple[int, int, int]] = [(-1, 0, 0), (-1, 1, 1)]
        self._unique: dict[tuple[int, int, int], int] = {}
        self._single: dict[tuple[int, int], int] = {}
        modulus = 1 << places
        # Two's complement residues: negative numbers come after the others.
        self._residues = sorted(value % modulus for value in ordered)
        self.root: Final = self._build(0, len(self._residues), places)

    def _node(self, place: int, one: int, zero: int) -> int:
        if one == zero:
            return one
        key = (place, one, zero)
        node = self._unique.get(key)
        if node is None:
            node = len(self._nodes)
            self._nodes.append(key)
            self._unique[key] = node
        return node

    def _build(self, start: int, stop: int, places: int) -> int:
        """The node of the residues[start:stop] modulo 2^places (they agree in higher places)."""
        if start == stop:
            return 0
        if stop - start == 1 << places:
            return 1
        if stop - start == 1:
            return self._build_single(self._residues[start] & (1 << places) - 1, places)
        place = places - 1
        low, high = start, stop
        while low < high:
            middle = (low + high) // 2
            if self._residues[middle] >> place & 1:
                high = middle
            else:
                low = middle + 1
        return self._node(place, self._build(low, stop, place), self._build(start, low, place))

    def _build_single(self, residue: int, places: int) -> int:
        node = 1
        for place in range(places):
            bit = residue >> place & 1
            key = (place, residue & (2 << place) - 1)
            known = self._single.get(key)
            if known is None:
                known = self._node(place, node if bit else 0, 0 if bit else node)
                self._single[key] = known
            node = known
        return node

    def clause_count(self) -> int:
        """The number of clauses that `literal` adds at most."""
        total = 0
        for _, one, zero in self._nodes[2:]:
            constants = (one < 2) + (zero < 2)
            total += (6, 3, 0)[constants]
        return total + 1

    def literal(self, cnf: Cnf, bits: Sequence[int]) -> int:
        """The literal that is true iff the bits spell a residue of the set."""
        gates = [FALSE, TRUE]
        for place, one, zero in self._nodes[2:]:
            gates.append(cnf.mux(bits[place], gates[one], gates[zero]))
        return gates[self.root]
