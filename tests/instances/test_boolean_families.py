"""Families majority and boolean_function: constructions, impossibility proofs, enumeration.

All 16 functions of 2 bits over ternary weights are held against an engine that enumerates, with up
to 1 hidden unit, and with 2 for two activations; all 256 of 3 bits, up to the order of the inputs
(and complements where labels are signs), with 1 and 2 units, against a list of all functions that
such networks compute, and for two activations against an engine. Each activation has one of the two
losses that only ask for signs, step and square with 1 unit only, as the family searches long for 2.
The impossibility proofs are also held against an engine for the reals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations, product
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from engine_checks import check_certificate, decide
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.construction import (
    multilinear_degree,
    smallest_domain,
    symmetric_degree,
)
from ermbit_instances.families.family import Generated
from ermbit_instances.instance import parse_instance

LOSSES = ("absolute", "zero_one", "hinge")


def check_known(generated: Generated, *engines: str) -> str:
    """The status is what engines say; a certificate has loss 0.

    ``unknown`` is never false, so it is for the caller to say where it may occur.
    """
    document, meta = generated.document, generated.document["meta"]
    assert (generated.certificate is not None) == (meta["status"] == "sat")
    if generated.certificate is not None:
        values = parse_certificate(generated.certificate, parse_instance(document)).values
        assert check_certificate(document, tuple(values), Fraction(0)) == 0
    for engine in engines:
        outcome = decide(engine, document, Fraction(0))
        assert outcome.status != "unknown", outcome.reason
        assert meta["status"] in (outcome.status, "unknown")
    return str(meta["status"])


def polynomial(table: tuple[int, ...]) -> dict[tuple[int, ...], int]:
    """The multilinear polynomial by its definition: monomials with nonzero coefficients."""
    n = len(table).bit_length() - 1
    points = list(product((0, 1), repeat=n))
    value = dict(zip(points, table, strict=True))
    return {
        monomial: c
        for monomial in points
        if (
            c := sum(
                (-1) ** (sum(monomial) - sum(p)) * value[p]
                for p in points
                if all(a <= b for a, b in zip(p, monomial, strict=True))
            )
        )
    }


TABLES = st.integers(0, 4).flatmap(
    lambda n: st.lists(st.integers(0, 1), min_size=2**n, max_size=2**n).map(tuple)
)


@given(TABLES)
def test_multilinear_degree(table: tuple[int, ...]) -> None:
    assert multilinear_degree(table) == max(map(sum, polynomial(table)), default=-1)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=6))
def test_symmetric_degree(values: list[int]) -> None:
    table = [values[sum(bits)] for bits in product((0, 1), repeat=len(values) - 1)]
    assert symmetric_degree(values) == multilinear_degree(table)


@given(st.lists(st.fractions(-9, 9, max_denominator=2), max_size=5))
def test_smallest_domain_has_the_values(values: list[Fraction]) -> None:
    text = smallest_domain([mpq(v.numerator, v.denominator) for v in values])
    low, high, *denominator = map(int, text.removeprefix("int:").split(":"))
    members = {Fraction(k, *denominator) for k in range(low, high + 1)}
    assert {1, -1, *values} <= members


# --- majority ------------------------------------------------------------------------------------


KNOWN = {
    "relu": {"absolute": (11, 6), "signs": (9, 0)},
    "step": {"absolute": (10, 4), "signs": (9, 0)},
    "sign": {"absolute": (8, 4), "signs": (11, 0)},
    "abs": {"absolute": (5, 4), "signs": (7, 0)},
    "identity": {"absolute": (2, 12), "signs": (9, 0)},
    "square": {"absolute": (2, 8), "signs": (3, 0)},
}
"""How many of the 18 majorities below are known to be sat and unsat: what its constructions and
proofs are good for. The rest have small domains mostly, for which the family does not search."""


@pytest.mark.parametrize("activation", KNOWN)
@pytest.mark.parametrize("loss", LOSSES)
def test_majority_of_few_bits(activation: str, loss: str) -> None:
    seen = Counter[str]()
    for n, hidden in product((1, 2, 3), (0, 1, 2)):
        for domain in ("auto", "ternary"):
            generated = generate(
                "majority", bits=n, hidden=hidden, activation=activation, loss=loss, domain=domain
            )
            engines = ["exhaustive"] if n < 3 or hidden < 2 else []
            seen[check_known(generated, *engines)] += 1
    labels = "absolute" if loss == "absolute" else "signs"
    assert (seen["sat"], seen["unsat"]) == KNOWN[activation][labels]


@pytest.mark.parametrize("n, hidden, activation", [
    (2, 0, "relu"), (3, 0, "relu"), (3, 1, "relu"), (4, 1, "relu"), (2, 2, "identity"),
    (3, 1, "square"), (4, 2, "square"), (3, 2, "polynomial:0,1,1"),
])  # fmt: skip
def test_majority_is_impossible(n: int, hidden: int, activation: str) -> None:
    generated = generate("majority", bits=n, hidden=hidden, activation=activation, domain="real")
    engine = "lifting" if activation in ("square", "polynomial:0,1,1") else "smt"
    engines = () if hidden > 1 and engine == "lifting" else (engine,)
    assert check_known(generated, *engines) == "unsat"


@pytest.mark.parametrize("activation", ["relu", "step", "sign", "abs"])
@pytest.mark.parametrize("loss", LOSSES)
def test_majority_of_many_bits(activation: str, loss: str) -> None:
    for n, samples in ((7, 0), (8, 0), (101, 9), (100, 9)):
        generated = generate(
            "majority", bits=n, samples=samples, hidden=3, activation=activation, loss=loss
        )
        assert check_known(generated) == "sat"
        assert generated.document["meta"]["minimum"] == 0


def test_majority_labels() -> None:
    data = generate("majority", bits=4, loss="hinge").document["data"]
    assert [(2 * (sum(x) > 2) - 1) for x in data["x"]] == [y[0] for y in data["y"]]


# --- boolean_function ----------------------------------------------------------------------------


def tables(n: int) -> list[str]:
    return ["".join(bits) for bits in product("01", repeat=2**n)]


@pytest.mark.parametrize("activation", ["relu", "step", "abs", "square", "identity"])
@pytest.mark.parametrize("loss", LOSSES)
def test_all_functions_of_two_bits(activation: str, loss: str) -> None:
    seen = Counter[str]()
    for table, hidden in product(tables(2), (0, 1, 2)):
        if hidden == 2 and table[0] == "1" and activation != "relu":
            continue  # complements of other tables
        generated = generate(
            "boolean_function", table=table, hidden=hidden, activation=activation, loss=loss,
            domain="ternary",
        )  # fmt: skip
        assert generated.document["meta"]["table"] == table
        engines = ["exhaustive"] if hidden < 2 or activation in ("relu", "square") else []
        status = check_known(generated, *engines)
        assert status != "unknown" or not hidden, "one small hidden layer is searched"
        seen[status] += 1
    assert seen["sat"] and seen["unsat"]
    assert seen["unknown"] == (4 if loss == "absolute" else 12), "nothing is searched"


POINTS = list(product((0, 1), repeat=3))
ORDERS = [
    [POINTS.index(tuple(point[i] for i in order)) for point in POINTS]
    for order in permutations(range(3))
]
"""What the orders of three inputs do to the positions of a table."""


def complement(table: str) -> str:
    return table.translate(str.maketrans("01", "10"))


def functions_of_three_bits(*, complements: bool = True) -> list[str]:
    """One table of every class under the orders of the inputs, and without complements."""

    def first(table: str) -> str:
        return min("".join(table[k] for k in order) for order in ORDERS)

    classes = {first(table) for table in tables(3)}
    if not complements:
        classes = {min(table, first(complement(table))) for table in classes}
    return sorted(classes)


PHI: dict[str, Callable[[Any], Any]] = {
    "relu": lambda z: np.maximum(z, 0),
    "step": lambda z: np.where(z >= 0, 1, 0),
    "sign": lambda z: np.where(z >= 0, 1, -1),
    "abs": np.abs,
    "square": np.square,
    "identity": lambda z: z,
}


@cache
def computed(activation: str, hidden: int, *, signs: bool) -> frozenset[str]:
    """The tables of all networks with ternary weights: by the sign of the output, or its value.

    Outputs are integers: with labels 1 and -1 the margin 1 is kept where no output is 0.
    """
    theta = np.array(list(product((-1, 0, 1), repeat=4)))
    units = np.unique(PHI[activation](theta[:, :3] @ np.array(POINTS).T + theta[:, 3:]), axis=0)
    outer = np.array(list(product((-1, 0, 1), repeat=hidden + 1)))
    found: set[str] = set()
    for chosen in combinations_with_replacement(range(len(units)), hidden):
        outputs = outer[:, :hidden] @ units[list(chosen)] + outer[:, hidden:]
        fitting = outputs[((outputs != 0) if signs else (outputs == 0) | (outputs == 1)).all(1)]
        found.update("".join("01"[v] for v in row) for row in (fitting > 0).astype(int).tolist())
    return frozenset(found)


def test_classes_of_functions_of_three_bits() -> None:
    # By Burnside: six orders with 8, 6, 6, 6, 4 and 4 cycles on the eight points.
    assert len(functions_of_three_bits()) == (2**8 + 3 * 2**6 + 2 * 2**4) // 6
    assert len(functions_of_three_bits(complements=False)) == 40
    for activation, hidden, signs in product(PHI, (1, 2), (False, True)):
        found = computed(activation, hidden, signs=signs)
        for order in ORDERS:
            assert {"".join(table[k] for k in order) for table in found} == found
        if signs:
            assert set(map(complement, found)) == found


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("hidden", [1, 2])
def test_all_functions_of_three_bits(activation: str, hidden: int) -> None:
    engines = ["tables"] if hidden == 2 and activation in ("relu", "step") else []
    truth = computed(activation, hidden, signs=False)
    for table in functions_of_three_bits():
        generated = generate(
            "boolean_function", table=table, hidden=hidden, activation=activation, domain="ternary"
        )
        assert check_known(generated, *engines) == ("sat" if table in truth else "unsat")


@pytest.mark.parametrize("loss, activation, hidden", [
    ("zero_one", "relu", 1), ("hinge", "step", 1), ("zero_one", "sign", 1), ("hinge", "abs", 1),
    ("zero_one", "square", 1), ("hinge", "identity", 1),
    ("zero_one", "relu", 2), ("hinge", "abs", 2), ("zero_one", "sign", 2), ("hinge", "identity", 2),
])  # fmt: skip
def test_signs_of_all_functions_of_three_bits(loss: str, activation: str, hidden: int) -> None:
    truth = computed(activation, hidden, signs=True)
    for table in functions_of_three_bits(complements=False):
        generated = generate(
            "boolean_function", table=table, hidden=hidden, activation=activation, loss=loss,
            domain="ternary",
        )  # fmt: skip
        assert check_known(generated) == ("sat" if table in truth else "unsat")


@pytest.mark.parametrize("activation", ["relu", "step", "sign"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_function_has_enough_units(activation: str, loss: str) -> None:
    for table in functions_of_three_bits():
        generated = generate(
            "boolean_function", table=table, hidden=min(table.count("0"), table.count("1")),
            activation=activation, loss=loss, domain="int:-16:16:2",
        )  # fmt: skip
        assert check_known(generated) == "sat"


@pytest.mark.parametrize("activation", ["step", "sign"])
def test_parity_of_six_bits_by_six_steps(activation: str) -> None:
    table = "".join(str(sum(bits) % 2) for bits in product((0, 1), repeat=6))
    generated = generate(
        "boolean_function", table=table, hidden=6, activation=activation, domain="int:-14:14:2"
    )
    assert check_known(generated) == "sat"


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("table, hidden, activation", [
    ("0110", 1, "relu"), ("1001", 0, "relu"), ("0110", 3, "identity"), ("01101001", 1, "step"),
    ("00011000", 1, "leaky_relu:1/2"),
])  # fmt: skip
def test_functions_that_are_not_unate(
    table: str, hidden: int, activation: str, loss: str
) -> None:
    generated = generate(
        "boolean_function", table=table, hidden=hidden, activation=activation, loss=loss,
        domain="real",
    )  # fmt: skip
    assert check_known(generated, *(["smt"] if hidden < 2 else [])) == "unsat"


def test_hexadecimal_tables() -> None:
    for text, bits in (("0x6", "0110"), ("0x1E", "00011110"), ("0x6996", "0110100110010110")):
        document = generate("boolean_function", table=text, hidden=16).document
        assert document["meta"]["table"] == bits


@pytest.mark.parametrize(
    "table", ["", "0", "011", "0x", "0x123", "0xfg", "0120", "0b01", "01" * 256]
)
def test_other_tables_are_refused(table: str) -> None:
    with pytest.raises(FamilyError, match="parameter table"):
        generate("boolean_function", table=table)


@pytest.mark.parametrize("parameters", [{"bits": 13}, {"bits": 0}, {"hidden": -1}])
def test_illegal_majorities(parameters: dict[str, Any]) -> None:
    with pytest.raises(FamilyError, match="parameter"):
        generate("majority", **parameters)
