"""A Boolean function given by its truth table: do h hidden units compute it?

The table lists the values at 0…00, 0…01, …, 1…11, the first input being the leading bit. With p
units of one hidden layer (all weights ±1 or the values stated, surplus units 0) every function of n
bits is computed, labels 0 and 1:

* relu, step, sign: p the number of ones of the table, one unit an input a with value 1. With
  g(x) = Σ_{a_i = 1} x_i - Σ_{a_i = 0} x_i - (ones of a), g(a) = 0 and g ≤ -1 elsewhere; so
  relu(g + 1), step(g) and (sign(g) + 1)/2 are 1 at a and 0 elsewhere. Or p the number of zeros, and
  1 less those units.
* step, sign, where the value depends on the number s of ones only: p the number of changes of the
  value as s grows, a unit ± step(s - k) at each.

Zero loss is impossible over all reals if

* h ≤ 1 and φ is non-decreasing, or all units are affine, and the function is not unate. *Proof.* f
  is monotone in each input, with a direction that does not depend on the others. ∎
* φ is a polynomial of degree below that of the table as a multilinear polynomial, which is unique,
  with labels 0 and 1. ∎

Where neither decides, all parameters of a small domain are gone through.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.domain import Domain
from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import (
    activation_document,
    activation_of,
    is_monotone,
)
from ermbit_instances.families.construction import (
    Construction,
    multilinear_degree,
    padded,
    signed,
)
from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    register,
)
from ermbit_instances.families.layered import Weights, architecture
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    ACTIVATION,
    HIDDEN_UNITS,
    domain_parameter,
    loss_parameter,
)
from ermbit_instances.families.small_search import Goal, TooLargeError, search

RANDOM = "random"

_LARGEST = 8
_DOMAIN = 100

Table = tuple[int, ...]


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a given or a random table; threshold 0."""
    table = _table(rng, parameters)
    n, hidden, loss = len(table).bit_length() - 1, parameters["hidden"], parameters["loss"]
    activation = activation_document(parameters["activation"])
    function = activation_of(activation)
    weights = domain_document(parameters["domain"])
    domain = domain_of(weights)
    with_signs = labelling.is_classification(loss)
    x = [list(bits) for bits in product((0, 1), repeat=n)]
    y = [2 * value - 1 if with_signs else value for value in table]
    meta: dict[str, Any] = {"status": "unknown", "how": "no theorem applies; too many parameters"}
    theta = _constructed(function.name, table, hidden, with_signs, domain)
    proof = "" if theta is not None else _impossible(function, table, hidden, with_signs)
    if theta is not None:
        meta = {"status": "sat", "minimum": 0, "how": "explicit construction"}
    elif proof:
        meta = {"status": "unsat", "how": proof}
    elif domain.size is not None and domain.size <= _DOMAIN and hidden:
        goals: dict[str, Goal] = {"zero_one": "sign", "hinge": "margin"}
        try:
            goal = goals.get(loss, "equal")
            theta = search(list(domain.values()), function, hidden, x, y, goal)
            meta = {"status": "unsat" if theta is None else "sat", "how": "enumeration"}
        except TooLargeError:
            pass
    if theta is not None:
        meta["minimum"] = 0
    bits = "".join(map(str, table))
    document = instance_document(
        f"boolean-function-{n}-{hidden}-{function.name if hidden else 'none'}",
        architecture(n, str(hidden) if hidden else "none", activation, 1).document(),
        weights,
        {"x": x, "y": [[value] for value in y]},
        labelling.loss_document(loss, "sum"),
        0,
        meta | {"table": bits},
    )
    certificate = None if theta is None else certificate_document(theta.document())
    return Generated(document, certificate)


def _table(rng: Rng, parameters: Mapping[str, Any]) -> Table:
    """2^n values; a text of bits, or of hexadecimal digits after 0x, has its own n."""
    text = parameters["table"]
    if text == RANDOM:
        return tuple(rng.integers(0, 1) for _ in range(2 ** parameters["n"]))
    if text.startswith("0x"):
        digits = text[2:].lower()
        legal = set(digits) <= set("0123456789abcdef")
        bits = "".join(f"{int(digit, 16):04b}" for digit in digits) if legal else ""
    else:
        bits = text if set(text) <= set("01") else ""
    size = len(bits)
    if size < 2 or size & (size - 1) or size > 2**_LARGEST:
        raise FamilyError(
            f"parameter table: expected random, or 2^n bits or 0x and 2^n / 4 digits, n at most "
            f"{_LARGEST}"
        )
    return tuple(map(int, bits))


def _constructed(
    name: str, table: Table, hidden: int, with_signs: bool, domain: Domain
) -> Weights | None:
    """A construction of the module docstring that fits the units and the domain."""
    for found in _constructions(name, table):
        if len(found[0]) > hidden:
            continue
        n = len(table).bit_length() - 1
        chosen = signed(found) if with_signs else found
        if hidden == 0:
            theta = Weights((((mpq(0),) * n,),), ((chosen[3],),))
        else:
            theta = padded(chosen, hidden, n)
        if all(value in domain for value in theta.all_values()):
            return theta
    return None


def _constructions(name: str, table: Table) -> list[Construction]:
    found: list[Construction] = []
    if len(set(table)) == 1:
        found.append(([], [], [], mpq(table[0])))
    if name not in ("relu", "step", "sign"):
        return found
    n = len(table).bit_length() - 1
    lift, weight = int(name == "relu"), mpq(1, 2) if name == "sign" else mpq(1)
    points = list(product((0, 1), repeat=n))
    levels = {sum(point): value for point, value in zip(points, table, strict=True)}
    # sign(g)/2 = step(g) - 1/2: each unit of weight w leaves w/2 to the output bias.
    if name != "relu" and all(
        levels[sum(point)] == value for point, value in zip(points, table, strict=True)
    ):
        steps = [(k, levels[k] - levels[j]) for j, k in pairwise(range(n + 1))]
        steps = [(k, change) for k, change in steps if change]
        shift = sum((change * (1 - weight) for _, change in steps), mpq(0))
        found.append(
            (
                [[1] * n for _ in steps],
                [-k for k, _ in steps],
                [weight * change for _, change in steps],
                levels[0] + shift,
            )
        )
    for value in (1, 0):
        chosen = [p for p, entry in zip(points, table, strict=True) if entry == value]
        direction = 1 if value else -1
        found.append(
            (
                [[2 * bit - 1 for bit in point] for point in chosen],
                [lift - sum(point) for point in chosen],
                [direction * weight for _ in chosen],
                (1 - value) + direction * (1 - weight) * len(chosen),
            )
        )
    return found


def _impossible(function: Activation, table: Table, hidden: int, with_signs: bool) -> str:
    """The proof that zero loss is impossible over the reals, or an empty text."""
    affine = hidden == 0 or function.is_affine
    if (affine or (hidden == 1 and is_monotone(function))) and not _is_unate(table):
        return "the function is not unate, and one monotone unit is"
    degree = multilinear_degree(table)
    polynomial = affine or function.kind == "polynomial"
    if not with_signs and polynomial and degree > (1 if affine else function.degree):
        return f"as a polynomial, the function has degree {degree}"
    return ""


def _is_unate(table: Table) -> bool:
    """Whether every input moves the value in one direction only."""
    step = 1
    while step < len(table):
        below = [p for p in range(len(table)) if not p & step]
        moves = {table[p | step] - table[p] for p in below}
        if {-1, 1} <= moves:
            return False
        step *= 2
    return True


BOOLEAN_FUNCTION = register(
    Family(
        name="boolean_function",
        summary="a truth table, and whether h hidden units compute it; status by proof or search",
        source="Minsky & Papert, Perceptrons (1969)",
        parameters=(
            FamilyParameter("n", "integer", 3, "inputs of a random table", 1, _LARGEST),
            FamilyParameter(
                "table",
                "text",
                RANDOM,
                "values at 0..00 to 1..11 as bits such as 0110, or as digits such as 0x96; random",
            ),
            HIDDEN_UNITS,
            ACTIVATION,
            domain_parameter("int:-2:2"),
            loss_parameter("absolute"),
        ),
        build=build,
    )
)
