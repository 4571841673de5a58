"""Majority of n bits: 1 if more than half are 1. Status by construction or impossibility proof.

Let s be the number of ones, m = ⌊n/2⌋ + 1, so majority is s ≥ m, and φ the activation of the h
hidden units. Labels 0 and 1 (``absolute``, ``squared``) are reached with

=========  =====================  ============================================
φ          units                  function
=========  =====================  ============================================
step       1                      step(s - m)
sign       1                      sign(s - m)/2 + 1/2
relu       1, n ≤ 2               relu(s - m + 1)
relu       2                      relu(s - m + 1) - relu(s - m)
abs        2                      abs(s - m + 1)/2 - abs(s - m)/2 + 1/2
none       0, n = 1               s
=========  =====================  ============================================

Labels ±1 (``hinge``, ``zero_one``): twice that minus 1, and 2s - 2m + 1 without hidden units or
with one identity unit, 2 relu(s - m + 1) - 1 with one relu unit: all have y·f ≥ 1.

Over all n-bit inputs, labels 0 and 1 and threshold 0 are impossible over the reals if

* all units are polynomials (or none) of degree below that of majority as a multilinear polynomial,
  which is unique, and is found from the differences of its values;
* h = 1, φ is relu and n ≥ 3. *Proof.* f = c + v relu(g) has two values, so the inputs with the
  larger relu(g) > 0 have one value of g. They are {s ≥ m} or {s ≤ m - 1}; as 2 ≤ m ≤ n - 1 both
  span the whole space (the top or bottom two layers of the cube are inside), so g is constant. ∎
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import (
    activation_document,
    activation_of,
)
from ermbit_instances.families.construction import (
    Construction,
    padded,
    signed,
    smallest_domain,
    symmetric_degree,
)
from ermbit_instances.families.domain_text import domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import Weights, architecture
from ermbit_instances.families.reduction import DOMAIN, chosen_domain
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    ACTIVATION,
    HIDDEN_UNITS,
    REDUCTION,
    THRESHOLD,
    loss_parameter,
)

_ALL_BITS = 12


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """All 2^n inputs, or random ones; with all of them the instance is the same for every seed."""
    n, hidden, loss = parameters["bits"], parameters["hidden"], parameters["loss"]
    activation = activation_document(parameters["activation"])
    function = activation_of(activation)
    threshold = read_rational(parameters["threshold"], "parameter threshold")
    with_signs = labelling.is_classification(loss)
    x = _inputs(rng, n, parameters["samples"])
    ones = [int(sum(bits) > n // 2) for bits in x]
    name = function.name if hidden else "none"
    theta = _theta(name, n, hidden, with_signs)
    values = theta.all_values() if theta is not None else ()
    fitting = "int:-2:2" if theta is None else smallest_domain(values)
    weights = chosen_domain(parameters["domain"], fitting)
    domain = domain_of(weights)
    meta: dict[str, Any] = {"status": "unknown", "how": "no theorem of this family applies"}
    certificate = None
    if theta is not None and all(value in domain for value in values):
        meta = {"status": "sat", "minimum": 0, "how": "explicit construction"}
        certificate = certificate_document(theta.document())
    elif parameters["samples"] == 0 and not with_signs and threshold == 0:
        proof = _impossible(function, n, hidden)
        if proof:
            meta = {"status": "unsat", "how": proof}
    document = instance_document(
        f"majority-{n}-{hidden}-{name}",
        architecture(n, str(hidden) if hidden else "none", activation, 1).document(),
        weights,
        {"x": x, "y": [[2 * value - 1 if with_signs else value] for value in ones]},
        labelling.loss_document(loss, parameters["reduction"]),
        threshold,
        meta,
    )
    return Generated(document, certificate)


def _inputs(rng: Rng, n: int, samples: int) -> list[list[int]]:
    if samples:
        return [[rng.integers(0, 1) for _ in range(n)] for _ in range(samples)]
    if n > _ALL_BITS:
        raise FamilyError(f"parameter samples: all inputs are too many above {_ALL_BITS} bits")
    return [list(bits) for bits in product((0, 1), repeat=n)]


def _theta(name: str, n: int, hidden: int, with_signs: bool) -> Weights | None:
    """The table of the module docstring."""
    m = n // 2 + 1
    if hidden == 0:
        if with_signs:
            return Weights((((mpq(2),) * n,),), ((mpq(1 - 2 * m),),))
        return Weights((((mpq(1),),),), ((mpq(0),),)) if n == 1 else None
    ones, half = [1] * n, mpq(1, 2)
    found: Construction
    match name:
        case "step":
            found = [ones], [-m], [mpq(1)], mpq(0)
        case "sign":
            found = [ones], [-m], [half], half
        case "relu" if n <= 2 or with_signs:
            found = [ones], [1 - m], [mpq(1)], mpq(0)
        case "relu":
            found = [ones, ones], [1 - m, -m], [mpq(1), mpq(-1)], mpq(0)
        case "abs":
            found = [ones, ones], [1 - m, -m], [half, -half], half
        case "identity" if with_signs:
            return padded(([[2] * n], [1 - 2 * m], [mpq(1)], mpq(0)), hidden, n)
        case _:
            return None
    if len(found[0]) > hidden:
        return None
    return padded(signed(found) if with_signs else found, hidden, n)


def _impossible(function: Activation, n: int, hidden: int) -> str:
    """The proof that labels 0 and 1 are impossible over the reals, or an empty text."""
    degree = symmetric_degree([int(s > n // 2) for s in range(n + 1)])
    affine = hidden == 0 or function.is_affine
    if (affine and degree > 1) or (function.kind == "polynomial" and function.degree < degree):
        return f"as a polynomial, majority of {n} bits has degree {degree}"
    if hidden == 1 and function.name == "relu" and n >= 3:
        return "one relu unit is constant where it has to be 1 at more than half of the cube"
    return ""


MAJORITY = register(
    Family(
        name="majority",
        summary="majority of n bits; status by construction or impossibility proof",
        source="Minsky & Papert, Perceptrons (1969)",
        parameters=(
            FamilyParameter("bits", "integer", 3, "number of bits n", 1, 1000),
            HIDDEN_UNITS,
            ACTIVATION,
            DOMAIN,
            loss_parameter("absolute"),
            REDUCTION,
            FamilyParameter(
                "samples", "integer", 0, "number of random inputs, 0 for all 2^n", 0, 100_000
            ),
            THRESHOLD,
        ),
        build=build,
    )
)
