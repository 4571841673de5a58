"""Operations on words against Python integers."""

from itertools import combinations, product

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pysat.solvers import Cadical153

from ermbit_encodings import circuit
from ermbit_encodings.circuit import FALSE, TRUE, Cnf, Word, unit_propagation
from ermbit_encodings.errors import EncodingError

RANGES = [(lo, hi) for lo in range(-5, 6) for hi in range(lo, 6)]
FEW_RANGES = [(0, 0), (0, 1), (-1, 0), (-1, 1), (-4, 3), (-3, 5), (2, 6), (-7, -5), (-2, 1), (4, 7)]


def spelled(word: Word, value: int) -> list[int]:
    """The literals that give the word this value."""
    return [bit if value >> i & 1 else -bit for i, bit in enumerate(word.bits)]


def results(cnf: Cnf, inputs: list[Word], outputs: list[Word | int]):
    """For all values of the inputs: the values, and those of the outputs by unit propagation."""
    for values in product(*(range(word.lo, word.hi + 1) for word in inputs)):
        fixed = [x for word, v in zip(inputs, values, strict=True) for x in spelled(word, v)]
        model = unit_propagation(cnf.clauses, fixed)
        assert model is not None
        assert len(model) == cnf.variables, "propagation must determine every signal"
        yield (
            values,
            [
                out.value(model) if isinstance(out, Word) else circuit.is_true(out, model)
                for out in outputs
            ],
        )


def values_of(cnf: Cnf, word: Word) -> set[int]:
    """All values that the word has in some model, by a solver."""
    found = set()
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        while solver.solve():
            model = solver.get_model()
            found.add(word.value(model))
            assert word.value(set(model)) == word.value(model)
            solver.add_clause([-x for x in spelled(word, word.value(model))])
    return found


UNARY = {
    "negate": (circuit.negate, lambda x: -x),
    "relu": (circuit.relu, lambda x: max(x, 0)),
    "absolute": (circuit.absolute, abs),
    "square": (circuit.square, lambda x: x * x),
    "cube": (lambda cnf, w: circuit.power(cnf, w, 3), lambda x: x**3),
    "fourth power": (lambda cnf, w: circuit.power(cnf, w, 4), lambda x: x**4),
    "power 0": (lambda cnf, w: circuit.power(cnf, w, 0), lambda x: 1),
    "times 7": (lambda cnf, w: circuit.multiply_constant(cnf, w, 7), lambda x: 7 * x),
    "times -22": (lambda cnf, w: circuit.multiply_constant(cnf, w, -22), lambda x: -22 * x),
    "times 0": (lambda cnf, w: circuit.multiply_constant(cnf, w, 0), lambda x: 0),
    "shifted": (lambda cnf, w: circuit.shift_left(w, 3), lambda x: 8 * x),
    "polynomial": (
        lambda cnf, w: circuit.polynomial(cnf, w, [3, -2, 0, 5]),
        lambda x: 3 - 2 * x + 5 * x**3,
    ),
    "x - x^2": (lambda cnf, w: circuit.polynomial(cnf, w, [0, 1, -1]), lambda x: x - x * x),
    "no coefficients": (lambda cnf, w: circuit.polynomial(cnf, w, []), lambda x: 0),
    "x times itself": (lambda cnf, w: circuit.multiply(cnf, w, w), lambda x: x * x),
    "x minus x": (lambda cnf, w: circuit.subtract(cnf, w, w), lambda x: 0),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary_operations_are_exact_with_the_exact_range(name):
    build, meaning = UNARY[name]
    for lo, hi in RANGES:
        cnf = Cnf()
        word = circuit.input_range(cnf, lo, hi)
        out = build(cnf, word)
        for (value,), (got,) in results(cnf, [word], [out]):
            assert got == meaning(value)
        expected = {meaning(x) for x in range(lo, hi + 1)}
        assert (out.lo, out.hi) == (min(expected), max(expected))
        assert out.width == circuit.constant(out.lo).width or (
            out.width == max(circuit.constant(out.lo).width, circuit.constant(out.hi).width)
        )


@pytest.mark.parametrize("name", UNARY)
def test_no_other_value_is_possible(name):
    build, meaning = UNARY[name]
    for lo, hi in FEW_RANGES:
        cnf = Cnf()
        out = build(cnf, circuit.input_range(cnf, lo, hi))
        assert values_of(cnf, out) == {meaning(x) for x in range(lo, hi + 1)}


BINARY = {
    "add": (circuit.add, lambda a, b: a + b),
    "subtract": (circuit.subtract, lambda a, b: a - b),
    "multiply": (circuit.multiply, lambda a, b: a * b),
    "linear": (
        lambda cnf, a, b: circuit.linear(cnf, [(3, a), (-5, b), (2, a), (0, b)], 7),
        lambda a, b: 5 * a - 5 * b + 7,
    ),
    "sum of 5": (
        lambda cnf, a, b: circuit.sum_of(cnf, [a, b, b, a, b]),
        lambda a, b: 2 * a + 3 * b,
    ),
    "dot product": (
        lambda cnf, a, b: circuit.dot_product(cnf, [(a, b), (b, circuit.constant(-3))], 4),
        lambda a, b: a * b - 3 * b + 4,
    ),
    "dot product with a square": (
        lambda cnf, a, b: circuit.dot_product(cnf, [(a, a), (a, b), (circuit.constant(2), a)]),
        lambda a, b: a * a + a * b + 2 * a,
    ),
    "maximum": (lambda cnf, a, b: circuit.max_of(cnf, [a, b]), max),
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_are_exact(name):
    build, meaning = BINARY[name]
    for (lo, hi), (lo2, hi2) in product(FEW_RANGES, repeat=2):
        cnf = Cnf()
        a, b = circuit.input_range(cnf, lo, hi), circuit.input_range(cnf, lo2, hi2)
        out = build(cnf, a, b)
        seen = set()
        for values, (got,) in results(cnf, [a, b], [out]):
            assert got == meaning(*values)
            seen.add(got)
        if name != "dot product with a square" and name != "dot product":
            assert (out.lo, out.hi) == (min(seen), max(seen))
        assert out.lo <= min(seen) <= max(seen) <= out.hi


@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_have_no_other_value(name):
    build, meaning = BINARY[name]
    for (lo, hi), (lo2, hi2) in product([(-1, 1), (-3, 2), (2, 6)], repeat=2):
        cnf = Cnf()
        a, b = circuit.input_range(cnf, lo, hi), circuit.input_range(cnf, lo2, hi2)
        out = build(cnf, a, b)
        expected = {meaning(x, y) for x in range(lo, hi + 1) for y in range(lo2, hi2 + 1)}
        assert values_of(cnf, out) == expected


def test_comparisons_of_words():
    for (lo, hi), (lo2, hi2) in product(FEW_RANGES, repeat=2):
        cnf = Cnf()
        a, b = circuit.input_range(cnf, lo, hi), circuit.input_range(cnf, lo2, hi2)
        ge, same = circuit.ge(cnf, a, b), circuit.equals(cnf, a, b)
        truths = set()
        for (x, y), got in results(cnf, [a, b], [ge, same]):
            assert got == [x >= y, x == y]
            truths.add(x >= y)
        if len(truths) == 1:
            assert ge == (TRUE if truths == {True} else FALSE)


def test_comparisons_with_constants():
    for lo, hi in RANGES:
        cnf = Cnf()
        word = circuit.input_range(cnf, lo, hi)
        bounds = range(-9, 10)
        literals = [circuit.ge_constant(cnf, word, k) for k in bounds]
        literals += [circuit.equals_constant(cnf, word, k) for k in bounds]
        for (x,), got in results(cnf, [word], literals):
            assert got == [x >= k for k in bounds] + [x == k for k in bounds]
        for k, literal in zip(bounds, literals, strict=False):
            assert (literal == TRUE) == (k <= lo)
            assert (literal == FALSE) == (k > hi)


@pytest.mark.parametrize("wide", [0, 90])
def test_asserted_bounds_leave_exactly_the_values_within(wide):
    """Also on words too wide for the form without gates."""
    for (lo, hi), low, high in product(FEW_RANGES, range(-5, 6, 2), range(-5, 8, 3)):
        cnf = Cnf()
        word = circuit.input_range(cnf, lo, hi)
        far = circuit.shift_left(word, wide)
        circuit.require_ge_constant(cnf, far, low << wide)
        circuit.require_le_constant(cnf, far, high << wide)
        assert values_of(cnf, word) == {x for x in range(lo, hi + 1) if low <= x <= high}


def test_restrict_narrows_the_range():
    cnf = Cnf()
    word = circuit.restrict(cnf, circuit.input_range(cnf, -20, 20), 3, 30)
    assert (word.lo, word.hi) == (3, 20)
    assert values_of(cnf, word) == set(range(3, 21))
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        assert solver.solve()
    circuit.restrict(cnf, word, 25, 30)
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        assert not solver.solve()


def test_thresholds_tighten_incrementally():
    cnf = Cnf()
    words = [circuit.input_range(cnf, -3, 6) for _ in range(3)]
    total = circuit.linear(cnf, [(2, words[0]), (3, words[1]), (-4, words[2])], 5)
    cnf.require(circuit.ge_constant(cnf, words[0], 1))
    cnf.require(-circuit.equals_constant(cnf, words[1], -3))
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        best = None
        while solver.solve():
            value = total.value(solver.get_model())
            assert best is None or value < best
            best = value
            before = len(cnf.clauses)
            cnf.require(-circuit.ge_constant(cnf, total, best))
            solver.append_formula([list(clause) for clause in cnf.clauses[before:]])
    assert best == 5 + 2 * 1 + 3 * -2 - 4 * 6


def test_select_and_mask():
    for (lo, hi), (lo2, hi2) in product(FEW_RANGES, repeat=2):
        cnf = Cnf()
        flag = circuit.input_range(cnf, 0, 1)
        a, b = circuit.input_range(cnf, lo, hi), circuit.input_range(cnf, lo2, hi2)
        condition = flag.bits[0]
        outs = [circuit.select(cnf, condition, a, b), circuit.mask(cnf, -condition, a)]
        for (c, x, y), got in results(cnf, [flag, a, b], outs):
            assert got == [x if c else y, 0 if c else x]
        assert (outs[0].lo, outs[0].hi) == (min(lo, lo2), max(hi, hi2))
        assert (outs[1].lo, outs[1].hi) == (min(lo, 0), max(hi, 0))
        assert circuit.select(cnf, TRUE, a, b) is a
        assert circuit.select(cnf, FALSE, a, b) is b
        assert circuit.mask(cnf, FALSE, a) == circuit.constant(0)


def test_maximum_of_many():
    cnf = Cnf()
    words = [circuit.input_range(cnf, lo, hi) for lo, hi in [(-4, -1), (-2, 2), (0, 1), (-3, 3)]]
    out = circuit.max_of(cnf, words)
    for values, (got,) in results(cnf, words, [out]):
        assert got == max(values)
    assert (out.lo, out.hi) == (0, 3)
    assert circuit.max_of(cnf, [words[0]]) is words[0]
    with pytest.raises(EncodingError):
        circuit.max_of(cnf, [])


def test_variable_shift():
    for (lo, hi), (low, high) in product(
        FEW_RANGES, [(0, 0), (0, 1), (0, 5), (2, 3), (3, 6), (7, 7)]
    ):
        cnf = Cnf()
        word, amount = circuit.input_range(cnf, lo, hi), circuit.input_range(cnf, low, high)
        out = circuit.shift_left_by(cnf, word, amount)
        seen = set()
        for (x, k), (got,) in results(cnf, [word, amount], [out]):
            assert got == x << k
            seen.add(got)
        assert (out.lo, out.hi) == (min(seen), max(seen))


PIECES = [
    ([], [(3, -1)]),
    ([0], [(0, 0), (1, 0)]),
    ([0], [(1, 0), (100, 0)]),
    ([0], [(0, -1), (0, 1)]),
    ([-2, 2], [(0, -2), (1, 0), (0, 2)]),
    ([-3, -1, 0, 4], [(-1, 0), (2, 5), (0, 7), (-3, 1), (1, -4)]),
    ([-1, 1, 2, 3], [(0, 1), (1, 0), (1, 0), (0, 4), (-2, 9)]),
    ([4], [(1, 0), (1, -4)]),
    ([-50, 50], [(9, 9), (-1, 2), (8, 8)]),
]


@pytest.mark.parametrize("breakpoints, pieces", PIECES)
def test_piecewise_is_exact(breakpoints, pieces):
    def meaning(x):
        slope, intercept = pieces[sum(x >= b for b in breakpoints)]
        return slope * x + intercept

    for lo, hi in [*RANGES, (0, 6), (0, 7), (-8, 7)]:
        cnf = Cnf()
        word = circuit.input_range(cnf, lo, hi)
        out = circuit.piecewise(cnf, word, breakpoints, pieces)
        for (x,), (got,) in results(cnf, [word], [out]):
            assert got == meaning(x)
        expected = {meaning(x) for x in range(lo, hi + 1)}
        assert (out.lo, out.hi) == (min(expected), max(expected))
        assert values_of(cnf, out) == expected


def test_piecewise_takes_the_range_of_all_pieces_when_literals_coincide():
    """x on [0, 2] and x - 4 on [4, 7] are the same two low bits, with different ranges."""
    cnf = Cnf()
    word = circuit.choose(cnf, [0, 1, 2, 4, 5, 6, 7]).word
    out = circuit.piecewise(cnf, word, [3], [(1, 0), (1, -4)])
    assert out.lo <= 0
    assert out.hi >= 3
    assert values_of(cnf, out) == {0, 1, 2, 3}


def test_piecewise_builds_only_what_the_range_meets():
    cnf = Cnf()
    word = circuit.input_range(cnf, 0, 7)
    size = len(cnf.clauses)
    assert circuit.piecewise(cnf, word, [0, 8], [(5, 5), (1, 0), (3, 3)]) == word
    assert len(cnf.clauses) == size


@pytest.mark.parametrize(
    "breakpoints, pieces",
    [([0], [(1, 0)]), ([], []), ([1, 1], [(0, 0)] * 3), ([2, 1], [(0, 0)] * 3)],
)
def test_piecewise_refuses_bad_pieces(breakpoints, pieces):
    cnf = Cnf()
    with pytest.raises(EncodingError):
        circuit.piecewise(cnf, circuit.input_range(cnf, 0, 3), breakpoints, pieces)


@pytest.mark.parametrize(
    "ranges", [[(-1, 1)], [(-1, 1), (0, 2)], [(0, 3), (-2, 0)], [(1, 1), (-1, 1)]]
)
def test_lexicographic_order_keeps_exactly_the_ordered_pairs(ranges):
    cnf = Cnf()
    a = [circuit.input_range(cnf, lo, hi) for lo, hi in ranges]
    b = [circuit.input_range(cnf, lo - 1, hi) for lo, hi in ranges]
    circuit.lex_le(cnf, a, b)
    kept = 0
    spaces = [range(word.lo, word.hi + 1) for word in (*a, *b)]
    for values in product(*spaces):
        fixed = [x for w, v in zip((*a, *b), values, strict=True) for x in spelled(w, v)]
        model = unit_propagation(cnf.clauses, fixed)
        left, right = values[: len(a)], values[len(a) :]
        assert (model is not None) == (left <= right)
        if model is not None:
            assert len(model) == cnf.variables
            kept += 1
    assert kept > 0


def test_lexicographic_order_decided_by_ranges():
    cnf = Cnf()
    low, high = circuit.input_range(cnf, 0, 2), circuit.input_range(cnf, 3, 5)
    size = len(cnf.clauses)
    circuit.lex_le(cnf, [low, high], [high, low])
    assert len(cnf.clauses) == size
    circuit.lex_le(cnf, [high], [low])
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        assert not solver.solve()
    with pytest.raises(EncodingError):
        circuit.lex_le(cnf, [low], [])


def test_constants():
    for k in [*range(-9, 10), 10**30, -(10**30)]:
        word = circuit.constant(k)
        assert word.value([]) == word.value(frozenset()) == k
        assert word.is_constant
        assert set(word.bits) <= {TRUE, FALSE}


def test_empty_ranges_and_bad_arguments_are_refused():
    cnf = Cnf()
    word = circuit.input_range(cnf, -1, 2)
    with pytest.raises(EncodingError):
        circuit.input_range(cnf, 2, 1)
    with pytest.raises(EncodingError):
        circuit.shift_left(word, -1)
    with pytest.raises(EncodingError):
        circuit.shift_left_by(cnf, word, word)
    with pytest.raises(EncodingError):
        circuit.power(cnf, word, -1)


# -- random expressions ---------------------------------------------------------------------------

LEAVES = st.one_of(
    st.integers(0, 2).map(lambda i: ("input", i)),
    st.integers(-40, 40).map(lambda k: ("constant", k)),
)


def extend(children):
    pair = st.tuples(children, children)
    return st.one_of(
        st.tuples(st.sampled_from(["add", "subtract", "multiply", "maximum"]), pair),
        st.tuples(st.sampled_from(["relu", "absolute", "square", "negate"]), st.tuples(children)),
        st.tuples(st.just("choice"), st.tuples(children, children, children)),
        st.tuples(st.integers(-9, 9).map(lambda k: ("times", k)), st.tuples(children)),
        st.tuples(st.integers(-9, 9).map(lambda k: ("hat", k)), st.tuples(children)),
        st.tuples(st.integers(-9, 9).map(lambda k: ("cubic", k)), st.tuples(children)),
    )


def evaluate(tree, inputs):
    head, rest = tree
    if head == "input":
        return inputs[rest]
    if head == "constant":
        return rest
    x = [evaluate(child, inputs) for child in rest]
    match head:
        case "add":
            return x[0] + x[1]
        case "subtract":
            return x[0] - x[1]
        case "multiply":
            return x[0] * x[1]
        case "maximum":
            return max(x)
        case "relu":
            return max(x[0], 0)
        case "absolute":
            return abs(x[0])
        case "square":
            return x[0] ** 2
        case "negate":
            return -x[0]
        case "choice":
            return x[0] if x[0] >= x[1] else x[2]
        case ("times", k):
            return k * x[0]
        case ("hat", k):
            return x[0] + k if x[0] < k else (2 * k if x[0] < k + 5 else -3 * x[0])
        case ("cubic", k):
            return k + x[0] - k * x[0] ** 3
    raise AssertionError(head)


def built(cnf, tree, inputs):
    head, rest = tree
    if head == "input":
        return inputs[rest]
    if head == "constant":
        return circuit.constant(rest)
    w = [built(cnf, child, inputs) for child in rest]
    match head:
        case "add" | "subtract" | "multiply" | "relu" | "absolute" | "square" | "negate":
            return getattr(circuit, head)(cnf, *w)
        case "maximum":
            return circuit.max_of(cnf, w)
        case "choice":
            return circuit.select(cnf, circuit.ge(cnf, w[0], w[1]), w[0], w[2])
        case ("times", k):
            return circuit.multiply_constant(cnf, w[0], k)
        case ("hat", k):
            return circuit.piecewise(cnf, w[0], [k, k + 5], [(1, k), (0, 2 * k), (-3, 0)])
        case ("cubic", k):
            return circuit.polynomial(cnf, w[0], [k, 1, 0, -k])
    raise AssertionError(head)


@given(
    tree=st.recursive(LEAVES, extend, max_leaves=5),
    ranges=st.lists(st.tuples(st.integers(-12, 12), st.integers(0, 12)), min_size=3, max_size=3),
    data=st.data(),
)
def test_random_expressions(tree, ranges, data):
    cnf = Cnf(clause_limit=100_000)
    inputs = [circuit.input_range(cnf, lo, lo + size) for lo, size in ranges]
    try:
        out = built(cnf, tree, inputs)
    except OverflowError:
        reject()  # nested cubics of products: past the clause limit set here
    values = [data.draw(st.integers(word.lo, word.hi)) for word in inputs]
    fixed = [x for word, v in zip(inputs, values, strict=True) for x in spelled(word, v)]
    model = unit_propagation(cnf.clauses, fixed)
    assert model is not None
    assert len(model) == cnf.variables
    assert out.value(model) == evaluate(tree, values)
    assert out.lo <= out.value(model) <= out.hi


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(-99, 99)), min_size=1, max_size=7),
    st.integers(-(10**9), 10**9),
    st.randoms(use_true_random=False),
)
def test_wide_linear_forms(terms, offset, random):
    cnf = Cnf()
    words = [circuit.input_range(cnf, lo, lo + random.randrange(200)) for _, lo in terms]
    out = circuit.linear(cnf, [(c, w) for (c, _), w in zip(terms, words, strict=True)], offset)
    for _ in range(3):
        values = [random.randint(word.lo, word.hi) for word in words]
        fixed = [x for word, v in zip(words, values, strict=True) for x in spelled(word, v)]
        model = unit_propagation(cnf.clauses, fixed)
        expected = offset + sum(c * v for (c, _), v in zip(terms, values, strict=True))
        assert out.value(model) == expected


@given(st.integers(1, 30), st.integers(1, 90), st.randoms(use_true_random=False))
def test_wide_products(bits_a, bits_b, random):
    cnf = Cnf()
    a = circuit.input_range(cnf, -(1 << bits_a), random.getrandbits(bits_a))
    b = circuit.input_range(cnf, -random.getrandbits(bits_b), 1 << bits_b)
    out = circuit.multiply(cnf, a, b)
    x, y = random.randint(a.lo, a.hi), random.randint(b.lo, b.hi)
    model = unit_propagation(cnf.clauses, [*spelled(a, x), *spelled(b, y)])
    assert out.value(model) == x * y


@given(st.lists(st.integers(-6, 6), max_size=5), st.integers(-3000, 3000), st.integers(0, 5000))
def test_polynomial_range_contains_the_values(coefficients, lo, size):
    cnf = Cnf()
    word = circuit.input_range(cnf, lo, lo + size)
    out = circuit.polynomial(cnf, word, coefficients)
    for x in [*range(lo, lo + size + 1, max(1, size // 7)), lo + size]:
        assert out.lo <= sum(c * x**k for k, c in enumerate(coefficients)) <= out.hi


def test_bits_are_two_s_complement_of_least_width():
    for lo, hi in combinations(range(-9, 10), 2):
        word = circuit.input_range(Cnf(), lo, hi)
        held = range(-(1 << word.width - 1), 1 << word.width - 1)
        assert lo in held
        assert hi in held
        half = range(held.start // 2, held.stop // 2)
        assert word.width == 1 or lo not in half or hi not in half
