"""Combinatorial problems as training problems: subset sum, colouring, vertex cover, SAT.

Every instance says which theorem makes its status equal to that of the source problem, and the
source problem is small enough to be solved here by brute force. Written out by hand, independently
of the families that have the same name, from which they differ in domains and small things.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from library_sources.entry import (
    NO_BIAS,
    REAL,
    Document,
    Entry,
    dense,
    entry,
    finite,
    integers,
    neuron,
    rational,
    samples,
)

FANO = ((0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (4, 5, 0), (5, 6, 1), (6, 0, 2))
CYCLE5 = tuple((i, (i + 1) % 5) for i in range(5))


def entries() -> Iterator[Entry]:
    """All reductions."""
    yield from _subset_sum()
    yield from _set_splitting()
    yield from _colouring()
    yield from _vertex_cover()
    yield from _satisfiability()


def unit(i: int, n: int, value: int = 1) -> list[int]:
    """value times the i-th unit vector."""
    return [value if j == i else 0 for j in range(n)]


def indicator(chosen: Sequence[int], n: int, value: int | str = 1) -> list[int | str]:
    """value on the chosen coordinates, else 0."""
    return [value if j in chosen else 0 for j in range(n)]


# --- subset sum ----------------------------------------------------------------------------------

SUBSET_SUM = (
    "reduction: 0 -> 1 and 2e_i -> 1 force b = -1, w in {0,1}^n up to a common sign; the last "
    "sample forces a.w = T (Karp 1972)"
)


def _subset(items: Sequence[int], target: int) -> list[int] | None:
    choices = product((0, 1), repeat=len(items))
    return next(
        (list(c) for c in choices if sum(a * x for a, x in zip(items, c, strict=True)) == target),
        None,
    )


def _subset_data(items: Sequence[int], target: int) -> Document:
    n = len(items)
    return samples(
        ([0] * n, [1]),
        *((unit(i, n, 2), [1]) for i in range(n)),
        ([2 * a for a in items], [2 * target - 1]),
    )


def _subset_sum() -> Iterator[Entry]:
    cases = (
        ((2, 3, 7), 9, "real", REAL),
        ((2, 4, 6), 5, "real", REAL),
        ((3, 5, 8, 13, 21, 34), 44, "int1", integers(-1, 1)),
        ((4, 6, 10, 14, 22, 26), 41, "ternary", finite(-1, 0, 1)),
    )
    for items, target, word, domain in cases:
        chosen = _subset(items, target)
        yield entry(
            f"subset-sum-{'-'.join(map(str, items))}-T{target}-{word}",
            dense(len(items), (1, "abs")), domain, _subset_data(items, target), "absolute sum", 0,
            family="subset_sum", how=SUBSET_SUM, minimum=None if chosen is None else 0,
            certificate=None if chosen is None else {"W1": [chosen], "b1": [-1]},
        )  # fmt: skip
    weights = [f"x{i}" for i in range(3)]
    tied = {
        "inputs": 3,
        "neurons": [
            neuron("plus", "relu", {x: {"param": f"w{x[1]}"} for x in weights}, {"param": "b"}),
            neuron(
                "minus", "relu",
                {x: {"param": f"w{x[1]}", "scale": -1} for x in weights},
                {"param": "b", "scale": -1},
            ),
            neuron("f", "identity", {"plus": 1, "minus": 1}),
        ],
        "outputs": ["f"],
    }  # fmt: skip
    for target in (9, 8):
        chosen = _subset((2, 3, 7), target)
        theta = {**{f"w{i}": v for i, v in enumerate(chosen)}, "b": -1} if chosen else None
        yield entry(
            f"subset-sum-tied-relus-2-3-7-T{target}", tied, rational(2),
            _subset_data((2, 3, 7), target), "absolute sum", 0, family="subset_sum",
            how=SUBSET_SUM + "; two ReLUs with shared weights of opposite sign are one abs",
            certificate=theta, minimum=0 if chosen else None,
        )  # fmt: skip
    box = samples(
        *(([*unit(i, 2), 0], [1]) for i in range(2)),
        *(([*unit(i, 2, -1), 1], [1]) for i in range(2)),
        ([2, 2, -3], [1]),
        ([-2, -2, 3], [1]),
    )
    threshold = dense(3, (1, "step", {"weights": [[None, None, 1]], "bias": False}))
    how = "reduction: the samples say 0 <= w <= 1 and 2 w_0 + 2 w_1 = 3"
    yield entry(
        "halves-step-integer", threshold, integers(-2, 2), box, "absolute sum", 0,
        family="subset_sum", how=how + ", impossible in integers by parity",
    )  # fmt: skip
    yield entry(
        "halves-step-real", threshold, REAL, box, "absolute sum", 0,
        family="subset_sum", how=how, certificate={"W1": [["1/2", 1, None]]}, minimum=0,
    )  # fmt: skip


# --- set splitting and colouring -----------------------------------------------------------------


def _colours(n: int, edges: Sequence[Sequence[int]], k: int) -> tuple[int, ...] | None:
    """A colouring with k colours and no edge of one colour."""
    return next(
        (
            c
            for c in product(range(k), repeat=n)
            if all(len({c[v] for v in edge}) > 1 for edge in edges)
        ),
        None,
    )


def _set_splitting() -> Iterator[Entry]:
    triangle = ((0, 1), (0, 2), (1, 2))
    path = ((0, 1), (1, 2))
    how = (
        "reduction: e_1 and -e_1 labelled 0 force the output to be an AND of two halfspaces, which "
        "colour the vertices (after Blum & Rivest 1992)"
    )
    for name, edges in (("triangle", triangle), ("path", path)):
        data = samples(
            ([0] * 3, [1]),
            *((unit(i, 3), [0]) for i in range(3)),
            *((indicator(edge, 3), [1]) for edge in edges),
            (unit(0, 3, -1), [0]),
        )
        colours = _colours(3, edges, 2)
        theta = None if colours is None else {
            "W1": [[-1 if c == j else 1 for c in colours] for j in range(2)],
            "b1": [0, 0], "W2": [[1, 1]], "b2": [-2],
        }  # fmt: skip
        yield entry(
            f"blum-rivest-{name}-free-output", dense(3, (2, "step"), (1, "step")), integers(-2, 2),
            data, "absolute sum", 0, family="set_splitting", how=how,
            certificate=theta, minimum=0 if theta else None,
        )  # fmt: skip


def _colouring() -> Iterator[Entry]:
    how = (
        "reduction: f >= 0 is 0 on an edge only if every unit is <= 0 there, so no edge has one "
        "colour (Goel, Klivans, Manurangsi & Reichman 2021 for hardness)"
    )
    k4, k3 = tuple(combinations(range(4), 2)), tuple(combinations(range(3), 2))
    cases = (
        ("k4-three-relus", 4, k4, 3, finite(-1, 1), False),
        ("k3-three-relus", 3, k3, 3, finite(-1, 1), False),
        ("c5-two-relus", 5, CYCLE5, 2, REAL, False),
        ("c5-three-relus-average", 5, CYCLE5, 3, {"domain": "fixed_point", "bits": 3,
                                                  "fraction_bits": 1}, True),
        ("fano-two-relus", 7, FANO, 2, integers(-2, 2), False),
        ("fano-less-a-line-two-relus", 7, FANO[:6], 2, integers(-2, 2), False),
    )  # fmt: skip
    for name, n, edges, k, domain, average in cases:
        size = len(edges[0])
        value: int | str = f"1/{size}" if average else 1
        data = samples(
            *((unit(i, n), [1]) for i in range(n)),
            *((indicator(edge, n, value), [0]) for edge in edges),
        )
        colours = _colours(n, edges, k)
        theta: Document | None = None
        if colours is not None:
            theta = {"W1": [[1 if c == j else 1 - size for c in colours] for j in range(k)]}
            if average:
                theta["b1"] = [0] * k
        hidden = (k, "relu") if average else (k, "relu", NO_BIAS)
        output = (1, "identity", {"weights": [[1] * k], "bias": False})
        yield entry(
            name, dense(n, hidden, output), domain, data, "absolute sum", 0,
            family="coloring", how=how, certificate=theta, minimum=0 if theta else None,
        )  # fmt: skip


# --- vertex cover --------------------------------------------------------------------------------


def _cover(n: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """A smallest vertex cover."""
    return next(
        set(chosen)
        for size in range(n + 1)
        for chosen in combinations(range(n), size)
        if all(u in chosen or v in chosen for u, v in edges)
    )


def _vertex_cover() -> Iterator[Entry]:
    cover = _cover(5, CYCLE5)
    tau = len(cover)
    relu = dense(5, (1, "relu", NO_BIAS))
    data = samples(
        *((unit(i, 5), [1]) for i in range(5)), *((indicator(e, 5), [0]) for e in CYCLE5)
    )
    how = "reduction: the least loss is the vertex cover number of the 5-cycle, 3"
    theta = {"W1": [[-1 if i in cover else 1 for i in range(5)]]}
    below = f"{tau * 10**12 - 1}/{10**12}"
    for word, loss, domain in (
        ("absolute", "absolute sum", REAL),
        ("squared", "squared sum", {"domain": "fixed_point", "bits": 4, "fraction_bits": 1}),
    ):
        proof = how + (" (by Motzkin & Straus 1965)" if word == "squared" else "")
        yield entry(
            f"vertex-cover-c5-{word}-3", relu, domain, data, loss, tau,
            family="vertex_cover_relu", how=proof, minimum=tau, certificate=theta,
        )  # fmt: skip
        yield entry(
            f"vertex-cover-c5-{word}-below-3", relu, domain, data, loss, below,
            family="vertex_cover_relu", how=proof, minimum=tau,
        )  # fmt: skip
    halfspace = dense(5, (1, "identity"))
    labelled = samples(
        *((unit(i, 5), [1]) for i in range(5)), *((indicator(e, 5, "1/2"), [-1]) for e in CYCLE5)
    )
    separator = {"W1": [[-2 if i in cover else 1 for i in range(5)]], "b1": [0]}
    for threshold, domain, certificate in (
        (tau, integers(-2, 2), separator),
        (tau - 1, rational(2), None),
    ):
        yield entry(
            f"densest-halfspace-c5-{threshold}", halfspace, domain, labelled, "zero_one sum",
            threshold, family="vertex_cover_halfspace", minimum=tau, certificate=certificate,
            how="reduction: the least number of errors is the vertex cover number of the 5-cycle",
        )  # fmt: skip


# --- satisfiability ------------------------------------------------------------------------------


def _satisfiability() -> Iterator[Entry]:
    how = "reduction: w is 0/1 up to a common sign and every triple has exactly one 1"
    for name, n, triples, domain in (
        ("two-triples", 5, ((0, 1, 2), (2, 3, 4)), rational(1)),
        ("all-triples-of-4", 4, tuple(combinations(range(4), 3)), REAL),
    ):
        chosen = next(
            (
                list(c)
                for c in product((0, 1), repeat=n)
                if all(sum(c[v] for v in t) == 1 for t in triples)
            ),
            None,
        )
        data = samples(
            ([0] * n, [1]),
            *((unit(i, n, 2), [1]) for i in range(n)),
            *((indicator(t, n, 4), [3]) for t in triples),
        )
        yield entry(
            f"one-in-three-{name}", dense(n, (1, "abs")), domain, data, "absolute sum", 0,
            family="one_in_three", how=how, minimum=None if chosen is None else 0,
            certificate=None if chosen is None else {"W1": [chosen], "b1": [-1]},
        )  # fmt: skip
    clauses = ((1, 2), (-1, 2), (1, -2), (-1, -2))
    for name, formula, model in (("sat", clauses[:3], (1, 1)), ("unsat", clauses, None)):
        yield _one_sample(name, formula, model)


def _one_sample(
    name: str, formula: Sequence[tuple[int, ...]], model: Sequence[int] | None
) -> Entry:
    """Clauses on one input and one sample: v_i = relu(w_i), |v_i - 1/2| = 1/2, clauses hold."""
    variables = sorted({abs(literal) for clause in formula for literal in clause})
    neurons = [neuron(f"v{i}", "relu", {"x0": None}) for i in variables]
    neurons += [neuron(f"u{i}", "abs", {f"v{i}": 1}, "-1/2") for i in variables]
    for number, clause in enumerate(formula):
        inputs = {f"v{abs(literal)}": -1 if literal > 0 else 1 for literal in clause}
        missing = 1 - sum(literal < 0 for literal in clause)
        neurons.append(neuron(f"c{number}", "relu", inputs, missing))
    outputs = [f"u{i}" for i in variables] + [f"c{j}" for j in range(len(formula))]
    labels: list[int | str] = ["1/2"] * len(variables) + [0] * len(formula)
    names = [f"W[v{i},x0]" for i in variables]
    theta = dict(zip(names, model, strict=True)) if model else None
    return entry(
        f"cnf-one-sample-{name}", {"inputs": 1, "neurons": neurons, "outputs": outputs}, REAL,
        samples(([1], labels)), "absolute max", 0, family="loading", certificate=theta,
        how="reduction: the first outputs force 0/1 values, the others are the clauses",
        minimum=0 if model else None,
    )  # fmt: skip
