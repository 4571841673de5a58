"""Instances that ask for the sign of a program's value V, or hold it as loss or derivative.

============  =======================================  =====  ========================
form          network, sample and loss                 γ      the answer
============  =======================================  =====  ========================
``output``    f = V, 1 → 0, ``absolute``               given  the loss is abs(V)
``hinge``     f = V, 1 → −1, ``hinge``                 1      sat iff V ≤ 0
``zero_one``  f = V, 1 → 1, ``zero_one``               0      sat iff V > 0
``absolute``  f = ε·V, 1 → −1, ``absolute``            1      sat iff V ≤ 0
``squared``   f = ε·V, 1 → −1, ``squared``             1      sat iff V ≤ 0
``derivative``  f = w·V, 1 → −1/2, ``squared``         1/4    ∂L/∂w = V at w = 0
============  =======================================  =====  ========================

ε > 0 is a power of two with abs(ε·V) ≤ 1, so abs(ε·V + 1) ≤ 1 iff V ≤ 0. All networks have the
single input x0 = 1, no bias, and frozen rational weights, but for w. Proofs: docs/reductions.md 7,
docs/straight-line-programs.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.rational import Rational, as_rational, write_rational
from ermbit_instances.straight_line.network_of_program import network_of_program, scale_down
from ermbit_instances.straight_line.pinning import pinned
from ermbit_instances.straight_line.products import SQUARE, read_polynomial
from ermbit_instances.straight_line.program import Program

SOURCE = "PosSLP: Allender, Bürgisser, Kjeldgaard-Pedersen & Miltersen 2009; docs/reductions.md 7"

KNOWN_BITS = 2**20
"""The status is stated where all values of the program have at most this many bits together."""

WRITTEN_BITS = 1024
"""``meta`` holds V where it has at most this many bits."""


@dataclass(frozen=True)
class Form:
    """A row of the table above; ``sign`` is what V has to be for ``sat``: −1 (V ≤ 0) or 1."""

    name: str
    label: Rational
    loss: str
    threshold: Rational | None
    answer: str
    scaled: bool = False
    sign: int = 0


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("output", mpq(0), "absolute", None, "the loss is |V|"),
        Form("hinge", mpq(-1), "hinge", mpq(1), "sat iff V <= 0", sign=-1),
        Form("zero_one", mpq(1), "zero_one", mpq(0), "sat iff V > 0", sign=1),
        Form("absolute", mpq(-1), "absolute", mpq(1), "sat iff V <= 0", True, -1),
        Form("squared", mpq(-1), "squared", mpq(1), "sat iff V <= 0", True, -1),
        Form("derivative", mpq(-1, 2), "squared", mpq(1, 4), "at w = 0 the derivative by w is V"),
    )
}


@dataclass(frozen=True)
class CompiledProgram:
    """An instance document with what belongs to it.

    Attributes:
        document: format ``ermbit-instance``.
        certificate: format ``ermbit-certificate``: w = 0 for ``derivative``, the program's own
            weights where samples pin them, and no parameter otherwise. The verifier accepts it
            iff the instance is sat.
        answer: what the instance says of V, in words.
        value: V, or ``None`` where it is too long to be computed here.
        neurons: their number, the output included.
    """

    document: dict[str, Any]
    certificate: dict[str, Any]
    answer: str
    value: int | None
    neurons: int


def program_instance(
    program: Program,
    *,
    polynomial: str | Sequence[object] = SQUARE,
    form: str = "hinge",
    pin: str | None = None,
    domain: str | None = None,
    threshold: object = None,
    name: str | None = None,
) -> dict[str, Any]:
    """The instance document of :func:`compile_program`."""
    return compile_program(
        program,
        polynomial=polynomial,
        form=form,
        pin=pin,
        domain=domain,
        threshold=threshold,
        name=name,
    ).document


def compile_program(
    program: Program,
    *,
    polynomial: str | Sequence[object] = SQUARE,
    form: str = "hinge",
    pin: str | None = None,
    domain: str | None = None,
    threshold: object = None,
    name: str | None = None,
) -> CompiledProgram:
    """Compile a program into an instance.

    Args:
        program: its value is V.
        polynomial: the activation, c_0, c_1, …, of degree at least 2; a list or a text.
        form: one of :data:`FORMS`.
        pin: ``bounded`` or ``relu``: the weights are free, shared, and pinned by samples
            (:mod:`~.pinning`); for the forms ``absolute`` and ``squared``.
        domain: of the free weights, see :func:`~.pinning.pinned`.
        threshold: of the form ``output`` only; without it the instance has none.
        name: of the instance.

    Raises:
        UsageError: an argument is not one of these, or does not go with the others.
        LimitError: the network would be past the limits of instances.
    """
    if form not in FORMS:
        raise UsageError(f"form: expected one of {', '.join(FORMS)}, not {form!r:.60}")
    kind, coefficients = FORMS[form], read_polynomial(polynomial)
    if pin is not None and not kind.scaled:
        raise UsageError(f"pin: needs the form absolute or squared, not {form}")
    if domain is not None and pin is None:
        raise UsageError("domain: only for weights that are pinned")
    gamma = _threshold(kind, threshold)
    try:
        value: int | None = program.value(KNOWN_BITS)
    except LimitError:
        value = None
    if pin is None:
        parts, parameters = _frozen(program, coefficients, kind)
    else:
        network = network_of_program(program, coefficients, gatewise=True)
        scaled = scale_down(network, program.magnitude()) if pin == "bounded" else network.value
        free = pinned(network.wiring, scaled, pin, domain)
        parts = {"network": free.network, "weights": free.weights, "data": free.data}
        gamma, parameters = mpq(free.threshold), free.parameters
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "name": f"slp-{form}" if name is None else name,
        **parts,
        "loss": {"name": kind.loss, "reduction": "sum"},
    }
    if gamma is not None:
        document["threshold"] = write_rational(gamma)
    document["meta"] = _meta(program, kind, gamma, value)
    certificate = {"format": "ermbit-certificate", "version": 1, "parameters": parameters}
    neurons = len(document["network"]["neurons"])
    return CompiledProgram(document, certificate, kind.answer, value, neurons)


def _threshold(kind: Form, given: object) -> Rational | None:
    if given is None:
        return kind.threshold
    if kind.name != "output":
        raise UsageError(f"threshold: the form {kind.name} has its own")
    try:
        return as_rational(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"threshold: {error}") from None


def _frozen(
    program: Program, polynomial: Sequence[Rational], kind: Form
) -> tuple[dict[str, Any], dict[str, int | str]]:
    network = network_of_program(program, polynomial)
    wiring = network.wiring
    form = scale_down(network, program.magnitude()) if kind.scaled else network.value
    data = {"x": [[1]], "y": [[write_rational(kind.label)]]}
    if kind.name != "derivative":
        wiring.carry("f", form)
        neurons = wiring.neuron_documents()
        return {"network": {"inputs": 1, "neurons": neurons, "outputs": ["f"]}, "data": data}, {}
    wiring.carry("V", form)
    return derivative_parts(wiring.neuron_documents(), "V", data), {"w": 0}


def derivative_parts(
    neurons: list[dict[str, Any]], source: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Network, weights and data of f = w · source with the only free parameter w in −1..1.

    With label −1/2 and squared loss L(w) = (w V + 1/2)², so ∂L/∂w = V at w = 0.
    """
    output = {
        "id": "f",
        "inputs": {source: {"param": "w"}},
        "bias": 0,
        "activation": "identity",
    }
    return {
        "network": {"inputs": 1, "neurons": [*neurons, output], "outputs": ["f"]},
        "weights": {"domain": "integer", "low": -1, "high": 1},
        "data": data,
    }


def _meta(
    program: Program, kind: Form, gamma: Rational | None, value: int | None
) -> dict[str, Any]:
    meta: dict[str, Any] = {"source": SOURCE, "answer": kind.answer}
    if kind.name == "derivative":
        meta |= {"status": "sat", "minimum": "1/4"}
        meta["how"] = "w = 0 has loss 1/4; w V is an integer, so (w V + 1/2)^2 is never smaller"
    elif value is not None and gamma is not None:
        if kind.name == "output":
            satisfied = abs(value) <= gamma
        else:
            satisfied = value <= 0 if kind.sign < 0 else value > 0
        meta |= {"status": "sat" if satisfied else "unsat", "how": "V was computed exactly"}
    if value is not None and value.bit_length() <= WRITTEN_BITS:
        meta["value"] = write_rational(mpq(value))
    meta["instructions"] = len(program.used)
    meta["products"] = program.products
    return meta
