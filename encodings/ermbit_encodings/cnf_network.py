"""The network as a circuit: parameter words, and output words for each row of inputs.

Inputs are constants, so the first layer is linear in the parameters. Its sums are built one term
at a time in a fixed order, and gates are hashed: rows that agree in a prefix of their coordinates
share the sum over it. Later layers multiply words; all products of a neuron are added in one
compressor tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ermbit_encodings.circuit import (
    FALSE,
    FLOAT_SHAPES,
    Choice,
    Cnf,
    FloatWord,
    Model,
    Word,
    absolute,
    choose,
    constant,
    float_word,
    input_range,
    linear,
    max_of,
    multiply,
    multiply_constant,
    multiply_float,
    piecewise,
    polynomial,
    relu,
    shift_left,
)
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.multiplier import product_range
from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_bounds,
    integer_domain,
)
from ermbit_instances.domain import IntegerDomain
from ermbit_instances.float_domain import FloatDomain

FLOAT_VALUES = 1024
"""Floating-point domains with more values than this have separate significand and exponent."""


@dataclass(frozen=True, slots=True)
class ParameterWord:
    """The word of one parameter, and how it was made.

    Attributes:
        word: the integer P.
        source: a :class:`Choice` for listed values, a :class:`FloatWord` for large formats,
            ``None`` for an interval.
    """

    word: Word
    source: Choice | FloatWord | None = None

    def decode(self, model: Model) -> int:
        """P in a model."""
        return self.word.value(model) if self.source is None else self.source.decode(model)


def parameter_words(cnf: Cnf, form: IntegerForm) -> tuple[ParameterWord, ...]:
    """A free word for every parameter over exactly the integers of its domain."""
    return tuple(_parameter_word(cnf, form, i) for i in range(len(form.grids)))


def _parameter_word(cnf: Cnf, form: IntegerForm, index: int) -> ParameterWord:
    domain = form.instance.network.parameters[index].domain
    if isinstance(domain, IntegerDomain):
        return ParameterWord(input_range(cnf, *integer_bounds(form, index)))
    if isinstance(domain, FloatDomain) and domain.size > FLOAT_VALUES:
        number = float_word(cnf, FLOAT_SHAPES[domain.format.name])
        return ParameterWord(number.word, number)
    choice = choose(cnf, integer_domain(form, index))
    return ParameterWord(choice.word, choice)


class NetworkCircuit:
    """Builds the network's gates, one row of inputs at a time.

    Args:
        cnf: where the gates go.
        form: the integer form.
        parameters: words of its parameters.
    """

    def __init__(self, cnf: Cnf, form: IntegerForm, parameters: Sequence[ParameterWord]) -> None:
        self.cnf = cnf
        self.form = form
        self.parameters = parameters
        self._rows: dict[tuple[int, ...], tuple[Word, ...]] = {}
        self._scaled: dict[tuple[int, int], Word] = {}

    def outputs(self, row: tuple[int, ...]) -> tuple[Word, ...]:
        """A of every output neuron for one row of scaled inputs (not yet times its factor)."""
        known = self._rows.get(row)
        if known is None:
            signals = [constant(v) for v in row]
            for neuron in self.form.neurons:
                signals.append(self._neuron(neuron, signals))
            known = self._rows[row] = tuple(signals[node] for node in self.form.outputs)
        return known

    def _neuron(self, neuron: IntegerNeuron, signals: Sequence[Word]) -> Word:
        if neuron.kind == "max":
            words = [self._sum([term], signals) for term in neuron.terms]
            z = max_of(self.cnf, words) if words else constant(0)
            if neuron.bias is not None:
                z = linear(self.cnf, ((1, z), (1, self._sum([neuron.bias], signals))))
            return z
        terms = list(neuron.terms)
        if neuron.bias is not None:
            # First, because all rows share it.
            terms.insert(0, neuron.bias)
        return activate(self.cnf, neuron, self._sum(terms, signals))

    def _sum(self, terms: Sequence[IntegerTerm], signals: Sequence[Word]) -> Word:
        offset = 0
        words: list[tuple[int, Word]] = []
        products: list[tuple[int, Word, Word]] = []
        for term in terms:
            signal = constant(1) if term.source < 0 else signals[term.source]
            if term.parameter < 0:
                words.append((term.factor, signal))
                continue
            parameter = self.parameters[term.parameter]
            if signal.is_constant or parameter.word.is_constant:
                one, other = (
                    (signal, parameter.word) if signal.is_constant else (parameter.word, signal)
                )
                words.append((term.factor * one.lo, other))
            elif isinstance(parameter.source, FloatWord):
                product = multiply_float(self.cnf, parameter.source, signal)
                words.append((term.factor, product))
            elif term.factor:
                odd, shift = _odd_part(term.factor)
                factor = self._multiple(term.parameter, odd)
                products.append((shift, factor, signal))
        kept = []
        for coefficient, word in words:
            if word.is_constant:
                offset += coefficient * word.lo
            elif coefficient:
                kept.append((coefficient, word))
        if products:
            return _sum_of_products(self.cnf, products, kept, offset)
        total = constant(offset)
        for coefficient, word in kept:
            total = linear(self.cnf, ((1, total), (coefficient, word)))
        return total

    def _multiple(self, parameter: int, factor: int) -> Word:
        key = (parameter, factor)
        if key not in self._scaled:
            word = self.parameters[parameter].word
            self._scaled[key] = multiply_constant(self.cnf, word, factor)
        return self._scaled[key]


def _odd_part(value: int) -> tuple[int, int]:
    shift = (value & -value).bit_length() - 1
    return value >> shift, shift


def _sum_of_products(
    cnf: Cnf,
    products: Sequence[tuple[int, Word, Word]],
    words: Sequence[tuple[int, Word]],
    offset: int,
) -> Word:
    """offset + Σ coefficient · word + Σ 2^shift · a · b, in one compressor tree."""
    if len(products) == 1 and not words and not offset:
        shift, a, b = products[0]
        return shift_left(multiply(cnf, a, b), shift)
    lo = hi = offset
    for coefficient, word in words:
        ends = (coefficient * word.lo, coefficient * word.hi)
        lo, hi = lo + min(ends), hi + max(ends)
    for shift, a, b in products:
        low, high = product_range(a, b)
        lo, hi = lo + (low << shift), hi + (high << shift)
    columns = Columns(lo, hi, offset)
    for coefficient, word in words:
        columns.add_word(word, coefficient)
    for shift, a, b in products:
        if _is_digit(b) and not _is_digit(a):
            a, b = b, a
        moved = shift_left(b, shift)
        if _is_digit(a) and not -1 <= a.lo <= a.hi <= 1:
            _add_digit_product(cnf, columns, a, moved)
        else:
            columns.add_product(cnf, a, moved)
    return columns.reduce(cnf)


def _is_digit(word: Word) -> bool:
    return word.lo >= -2 and word.hi <= 2


def _add_digit_product(cnf: Cnf, columns: Columns, digit: Word, b: Word) -> None:
    """Add digit · b for a digit in −2..2: one row, b or 2b or nothing, complemented when negative.

    One row in place of three partial products (Booth 1951, radix 4: MacSorley, Proc. IRE 49, 1961).
    """
    low, middle, minus = digit.extended(3)
    double = cnf.and_(middle, -low)
    last = len(b.bits)
    bits = b.extended(last + 1)
    for j in range(min(last + 1, columns.modulus_bits)):
        single_bit = cnf.and_(low, bits[j])
        double_bit = cnf.and_(double, bits[j - 1]) if j else FALSE
        magnitude = cnf.or_(single_bit, double_bit)
        columns.add_bit(cnf.xor(magnitude, minus), j, j == last)
    columns.add_bit(minus, 0)


def activate(cnf: Cnf, neuron: IntegerNeuron, z: Word) -> Word:
    """A from Z. Pieces outside the range of Z are not built."""
    if neuron.kind == "max":
        return z
    if neuron.kind == "polynomial":
        return polynomial(cnf, z, neuron.coefficients)
    points, pieces = distinct_pieces(neuron)
    if points == [0]:
        (below, at), (above, there) = pieces
        if at == there == 0 and below == 0:
            return multiply_constant(cnf, relu(cnf, z), above)
        if at == there == 0 and below == -above:
            return multiply_constant(cnf, absolute(cnf, z), above)
    return piecewise(cnf, z, points, pieces)


def distinct_pieces(neuron: IntegerNeuron) -> tuple[list[int], list[tuple[int, int]]]:
    """Breakpoints and pieces without the empty pieces between equal breakpoints."""
    points: list[int] = []
    pieces = [neuron.pieces[0]]
    for point, piece in zip(neuron.breakpoints, neuron.pieces[1:], strict=True):
        if points and points[-1] == point:
            pieces[-1] = piece
        else:
            points.append(point)
            pieces.append(piece)
    return points, pieces
