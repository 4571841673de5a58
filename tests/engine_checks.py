"""Engines on instance documents, with everything they claim checked against the naive reference.

An answer is looked at from outside: the certificate is read back by name, held against the domains
and the loss of `reference`, and shown to the verifier in the form in which a file has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import islice
from math import prod
from typing import Any, NamedTuple

from gmpy2 import mpq

import reference
import rewriters
from ermbit.engines.engine import Budget, Event, Incumbent, LowerBound, Outcome, Task, ignore
from ermbit.engines.registry import NAMES, engine
from ermbit.verifier.verify import verify
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value, parameters_document
from ermbit_instances.instance import Instance, parse_instance
from reference import Document

PATIENCE = 300.0
"""Seconds that a call may take before it counts as one that does not end."""

HAIR = Fraction(1, 10**9)
"""From a loss to a threshold that is just off it."""

FINITE_ENGINES = tuple(
    name
    for name in NAMES
    if name
    not in (
        "two_layers",
        "deep_fits",
        "halfspaces",
        "hitting_sets",
        "cells",
        "dichotomies",
        "lifting",
        "elimination",
        "invariant",
        "training",
    )
)
"""The engines that answer all questions about finite domains: ``invariant`` and ``training`` only
find, ``two_layers`` is for one shape of networks, ``deep_fits`` and ``elimination`` for exact
fits."""


class Size(NamedTuple):
    """How large an instance may be for a test to ask an engine about it.

    Attributes:
        decide, minimize: largest number of assignments for either task.
        decide_degree, minimize_degree: largest degree of the outputs as polynomials in the inputs.
    """

    decide: int
    minimize: int
    decide_degree: int = 100
    minimize_degree: int = 100


SIZES: Mapping[str, Size] = {
    # Enumeration is what the instances are made for.
    "exhaustive": Size(10_000, 10_000),
    # Made for far larger tables than these instances have; refuses what is not a sum of units.
    "tables": Size(10_000, 10_000),
    # As tables; intervals see little of activations that are not monotone.
    "deep_tables": Size(2_000, 1_000),
    # Made for long numbers: each of its nodes takes as long as a thousand assignments elsewhere.
    "enclosures": Size(2_000, 1_000),
    "two_layers": Size(10_000, 10_000),
    "deep_fits": Size(10_000, 10_000),
    # For real parameters only: never complete for finite domains.
    "halfspaces": Size(10_000, 10_000),
    "hitting_sets": Size(10_000, 10_000),
    "cells": Size(10_000, 10_000),
    "dichotomies": Size(10_000, 10_000),
    # Complete where outer weights are real: for finite domains it only gives bounds.
    "lifting": Size(10_000, 10_000),
    # Complete for one parameter only.
    "elimination": Size(10_000, 10_000),
    # Never complete: they have tests of their own.
    "invariant": Size(10_000, 10_000),
    "training": Size(10_000, 10_000),
    # A minimum over fine-grained losses takes some ten decisions on circuits of growing width.
    # Cubes of cubes make multipliers of hundreds of bits: a minute for a single decision.
    "sat": Size(600, 100, 4, 4),
    # As for sat, with a tableau of exact rationals that each decision starts anew. The 8-bit floats
    # (some 250 values over 30 binary orders of magnitude) take seconds a call.
    "smt": Size(130, 100),
    # Products of chosen weights pass through z3's nonlinear core: some ten times slower than smt.
    # It projects polynomials before it looks at the few values that are allowed, so that from
    # degree 3 on single calls run for minutes, however few θ there are.
    "nra": Size(60, 30, 4, 2),
    # cvc5 builds coverings for disequalities of chosen values too, and cannot always be stopped.
    "coverings": Size(12, 4, 2, 2),
}


def network_degree(document: Document) -> int:
    """The degree of the outputs in the inputs, all polynomials of full degree taken as generic."""
    network = document["network"]

    def degree(spec: Any) -> int:
        if isinstance(spec, str):
            return 2 if spec == "square" else 1
        if spec["name"] == "polynomial":
            return max(1, len(spec["coefficients"]) - 1)
        return degree(spec["name"])

    if "layers" in network:
        return prod(degree(layer["activation"]) for layer in network["layers"])
    neurons = {neuron["id"]: neuron for neuron in network["neurons"]}

    def along(key: str) -> int:
        if key not in neurons:
            return 1
        below = max((along(source) for source in neurons[key]["inputs"]), default=1)
        return below * degree(neurons[key]["activation"])

    return max(along(key) for key in network["outputs"])


def complete_engines(document: Document) -> dict[Task, list[str]]:
    """The engines that claim to be complete for a document small enough for them, by task.

    Only for documents with finite domains.
    """
    problem = problem_of(document)
    count, degree = reference.assignment_count(document), network_degree(document)
    complete: dict[Task, list[str]] = {"decide": [], "minimize": []}
    for name in NAMES:
        size = SIZES[name]
        if count <= size.decide and degree <= size.decide_degree:
            if capability(name, problem, "decide"):
                complete["decide"].append(name)
        if count <= size.minimize and degree <= size.minimize_degree:
            if capability(name, problem, "minimize"):
                complete["minimize"].append(name)
    return complete


def capability(name: str, problem: Problem, task: Task) -> bool:
    """Whether the engine says that it is complete for the problem."""
    said = engine(name).capability(problem, task)
    assert said.reason, f"{name} does not say why"
    assert said.applicable or not said.complete
    return said.complete


def accepted(name: str, drawn: Iterable[Document], count: int) -> list[Document]:
    """The first so many of the documents that the engine says it decides completely."""
    fitting = (doc for doc in drawn if capability(name, problem_of(doc), "decide"))
    return list(islice(fitting, count))


def problem_of(document: Document) -> Problem:
    return Problem(parse_instance(document))


def exact(value: Fraction) -> Any:
    """The number as the packages under test have it."""
    return mpq(value.numerator, value.denominator)


def fraction(value: Any) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))


def named_values(instance: Instance, values: tuple[Value, ...]) -> dict[str, Value]:
    return {p.name: v for p, v in zip(instance.network.parameters, values, strict=True)}


def check_certificate(
    document: Document, values: tuple[Value, ...] | None, limit: Fraction | None
) -> Fraction | None:
    """A certificate must lie in its domains and have a loss of at most `limit`.

    Returns the loss that the reference computes, `None` for algebraic parameters (the verifier is
    then the only judge).
    """
    assert values is not None, "no certificate"
    if limit is not None:
        document = rewriters.with_threshold(document, limit)
    instance = parse_instance(document)
    verdict = verify(instance, parameters_document(instance.network, values))
    if limit is not None:
        assert verdict.accepted is True, (verdict, values)
    theta = named_values(instance, values)
    if not all(isinstance(v, mpq) for v in values):
        return None
    rational = {name: fraction(v) for name, v in theta.items()}
    weights = document["weights"]
    domains = [weights, weights.get("biases", {}), *weights.get("parameters", {}).values()]
    if all(domain.get("domain") != "real" for domain in domains):
        for name, members in reference.free_parameters(document).items():
            assert rational[name] in members, f"{name} = {rational[name]} is outside its domain"
    loss = reference.loss(document, rational)
    assert verdict.loss is not None and fraction(verdict.loss) == loss
    assert limit is None or loss <= limit
    return loss


def decide(
    name: str, document: Document, threshold: Fraction, patience: float = PATIENCE
) -> Outcome:
    """The engine's decision at a threshold; the certificate of a `sat` is checked."""
    problem = problem_of(rewriters.with_threshold(document, threshold))
    outcome = engine(name).decide(problem, Budget(time.monotonic() + patience), ignore)
    assert outcome.status in ("sat", "unsat", "unknown")
    if outcome.status == "sat":
        check_certificate(document, outcome.values, threshold)
    return outcome


def minimize(name: str, document: Document, patience: float = PATIENCE) -> Outcome:
    """The engine's minimum; certificate, incumbents and bounds are checked against each other."""
    events: list[Event] = []
    problem = problem_of(document)
    outcome = engine(name).minimize(problem, Budget(time.monotonic() + patience), events.append)
    assert outcome.status in ("optimal", "infimum", "feasible", "unknown")
    if outcome.values is not None:
        loss = check_certificate(document, outcome.values, None)
        if loss is not None and outcome.lower_bound is not None:
            lower = fraction(outcome.lower_bound)
            assert loss == lower if outcome.status == "optimal" else loss >= lower
    if outcome.lower_bound is not None:
        for event in events:
            if isinstance(event, LowerBound):
                assert event.loss <= outcome.lower_bound, "a bound was taken back"
            if isinstance(event, Incumbent) and event.loss is not None:
                loss = check_certificate(document, event.values, None)
                assert loss is None or loss == fraction(event.loss)
                assert event.loss >= outcome.lower_bound, "an incumbent below the bound"
    return outcome


def least(name: str, document: Document) -> tuple[str, Fraction]:
    """Status and value of the minimum, for an engine that is complete."""
    outcome = minimize(name, document)
    assert outcome.status in ("optimal", "infimum"), (name, outcome.status, outcome.reason)
    assert outcome.lower_bound is not None
    return outcome.status, fraction(outcome.lower_bound)


def check_minimum(name: str, document: Document, minimum: Fraction) -> None:
    """The engine finds the minimum, attains it, and refutes what is just below."""
    assert least(name, document) == ("optimal", minimum), document
    assert decide(name, document, minimum).status == "sat", document
    assert decide(name, document, minimum - HAIR).status == "unsat", document
