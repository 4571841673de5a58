"""Parity of n bits: all 2^n samples, with the answer where a theorem or a proof gives it.

Let s = x_1 + … + x_n be the number of ones, φ the activation of the h hidden units and
a_k = (-1)^{k+1}. One hidden layer with a linear output computes parity if h ≥ h0, with all hidden
weights 1 (but for square):

=========  ===========  ===================================================  =================
φ          h0           function                                             values it needs
=========  ===========  ===================================================  =================
relu       n            relu(s) - 2 relu(s-1) + 2 relu(s-2) - …              1, ±2, 0..-(n-1)
step       n            Σ_{k=1..n} a_k step(s-k)                             ±1, 0..-n
sign       n            Σ_{k=1..n} a_k sign(s-k) / 2 + (1/2 if n is odd)     1, 0..-n, ±1/2
abs        n-1, n even  n/2 - Σ_{k=1..n-1} a_k abs(s-k)                      ±1, n/2, -(n-1)..-1
abs        n, n odd     (1-n)/2 + abs(s) - Σ_{k=1..n-1} a_k abs(s-k)         ±1, 0..-(n-1)
square     1, n = 2     (x_1 - x_2)^2                                        ±1, 0
=========  ===========  ===================================================  =================

So relu needs ``int:-2:1`` for n = 2 and ``int:-max(2, n-1):2`` for n ≥ 3. With labels ±1
(``zero_one``, ``hinge``) the output is twice that minus 1: output weights double and the output
bias c becomes 2c - 1 (relu then needs ±4; sign needs no halves). Surplus units get weights 0. The
status is ``sat`` when the domain holds every value of the construction, as the code checks.

Where the construction gives no answer, zero loss is impossible over all reals if n ≥ 2 and

* h = 1 and φ is non-decreasing. *Proof.* Fix all bits but two at 0. On that face f = g(t) with g
  monotone and t affine; say g non-decreasing (else negate t). f is larger at 01 and 10 than at 00
  and 11, so t_01 and t_10 both exceed t_00 and t_11, but t_01 + t_10 = t_00 + t_11. ∎ (XOR.)
* φ is a polynomial of degree < n, any h. *Proof.* On the cube f is a multilinear polynomial of
  degree < n. Parity's has degree n and is unique (``absolute``, ``squared``), and no polynomial of
  degree < n has its sign (``zero_one``, ``hinge``; Minsky & Papert 1969). ∎
* φ is step or sign and h < min(n, 5). *Proof.* The ends of every edge of the cube have different
  labels, so some unit has different values there: its hyperplane, moved a little where it meets a
  vertex, passes between them. So h hyperplanes slice all edges of the cube and of its faces. The
  cube of dimension 5 takes 5 of them (Sohler & Ziegler, Computing cut numbers, 2000), and that of
  d < 5 not less than d, since one more slices what a further dimension adds. ∎ For 6 bits 5
  hyperplanes slice all edges (Paterson); that they then compute parity is not said.
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
    is_monotone,
)
from ermbit_instances.families.construction import Construction, padded
from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import architecture
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    ACTIVATION,
    REDUCTION,
    THRESHOLD,
    domain_parameter,
    loss_parameter,
)

SLICED = 5
"""The cube of so many dimensions takes as many hyperplanes (Sohler & Ziegler 2000)."""


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The parity instance; it is the same for every seed."""
    n, hidden, loss = parameters["bits"], parameters["hidden"], parameters["loss"]
    activation = activation_document(parameters["activation"])
    function = activation_of(activation)
    weights = domain_document(parameters["domain"])
    threshold = read_rational(parameters["threshold"], "parameter threshold")
    signed = labelling.is_classification(loss)
    x = [list(bits) for bits in product((0, 1), repeat=n)]
    y = [[2 * (sum(bits) % 2) - 1 if signed else sum(bits) % 2] for bits in x]
    meta: dict[str, Any] = {"status": "unknown", "how": "no theorem of this family applies"}
    certificate = None
    found = _construction(function.name, n, signed)
    if found is not None and len(found[0]) <= hidden:
        theta = padded(found, hidden, n)
        domain = domain_of(weights)
        if all(value in domain for value in theta.all_values()):
            meta = {"status": "sat", "minimum": 0, "how": "explicit construction"}
            certificate = certificate_document(theta.document())
    if certificate is None and labelling.forbids_errors(
        loss, parameters["reduction"], threshold, 2**n
    ):
        proof = _impossible(function, n, hidden)
        if proof:
            meta = {"status": "unsat", "how": proof}
    document = instance_document(
        f"parity-{n}-{hidden}-{function.name}",
        architecture(n, str(hidden), activation, 1).document(),
        weights,
        {"x": x, "y": y},
        labelling.loss_document(loss, parameters["reduction"]),
        threshold,
        meta,
    )
    return Generated(document, certificate)


def _construction(name: str, n: int, signed: bool) -> Construction | None:
    """The table of the module docstring, for ±1 labels if ``signed``."""
    ones = [1] * n
    alternating = [mpq((-1) ** (k + 1)) for k in range(1, n + 1)]
    bias = mpq(0)
    match name:
        case "relu":
            kinks = list(range(n))
            outputs = [mpq(1), *(mpq(2 * (-1) ** k) for k in kinks[1:])]
        case "step":
            kinks, outputs = list(range(1, n + 1)), alternating
        case "sign":
            kinks, outputs = list(range(1, n + 1)), [a / 2 for a in alternating]
            bias = mpq(n % 2, 2)
        case "abs":
            kinks, outputs = list(range(1, n)), [-a for a in alternating[:-1]]
            bias = mpq(n, 2)
            if n % 2 == 1:
                kinks, outputs, bias = [0, *kinks], [mpq(1), *outputs], mpq(1 - n, 2)
        case "square" if n == 2:
            row = [[1, -1]]
            return row, [0], [mpq(1 + signed)], mpq(-signed)
        case _:
            return None
    if signed:
        outputs, bias = [2 * v for v in outputs], 2 * bias - 1
    return [ones for _ in kinks], [-k for k in kinks], outputs, bias


def _impossible(function: Activation, n: int, hidden: int) -> str:
    """The proof that zero loss is impossible over the reals, or an empty text."""
    if n < 2:
        return ""
    if function.is_affine or (function.kind == "polynomial" and function.degree < n):
        return f"a polynomial of degree below {n} has neither the values nor the sign of parity"
    if hidden == 1 and is_monotone(function):
        return "one unit with a monotone activation cannot compute exclusive or on a face"
    if function.name in ("step", "sign") and hidden < min(n, SLICED):
        cube = f"the cube of dimension {min(n, SLICED)}"
        return f"{hidden} hyperplanes do not slice all edges of {cube} (Sohler & Ziegler 2000)"
    return ""


PARITY = register(
    Family(
        name="parity",
        summary="parity of all n-bit inputs; status known by construction or impossibility proof",
        source="Minsky & Papert, Perceptrons (1969)",
        parameters=(
            FamilyParameter("bits", "integer", 2, "number of bits n", 1, 12),
            FamilyParameter("hidden", "integer", 2, "hidden units h", 1, 1000),
            ACTIVATION,
            domain_parameter("int:-2:2"),
            loss_parameter("absolute"),
            REDUCTION,
            THRESHOLD,
        ),
        build=build,
    )
)
