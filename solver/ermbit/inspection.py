"""What is known of an instance before any search: sizes, bit-lengths, engines that fit."""

from __future__ import annotations

from collections import Counter
from math import log2, prod
from typing import Any

from ermbit import magnitude
from ermbit.magnitude import EDGE_LIMIT, number_bits
from ermbit.plan import make_plan
from ermbit.verifier.membership import describe_domain
from ermbit_encodings.problem import Problem
from ermbit_encodings.symmetry import interchangeable_classes
from ermbit_encodings.vertex_bound import vertex_bits
from ermbit_instances.instance import Instance
from ermbit_instances.rational import write_rational

WORK_LIMIT = 20_000_000
"""Edges times samples up to which ranges are computed."""

BITS_LIMIT = 2**16
"""Bits of a number up to which ranges are computed."""

_WRITTEN_COUNT = 256  # bits of a count that is written out


def describe(instance: Instance) -> dict[str, Any]:
    """Everything that ``ermbit info`` shows, as plain data.

    Keys: ``name``, ``instance`` (sha256), ``network``, ``layers``, ``domains``, ``assignments``,
    ``assignments_log2``, ``data``, ``loss``, ``threshold``, ``bits``, ``vertex_bits`` (from so many
    bits on rational domains decide as the reals do), ``symmetries``, ``engines`` (for both tasks),
    ``warnings``.
    """
    network = instance.network
    problem = Problem(instance)
    # Of what no engine will look at, only what is known without effort is told.
    examined = network.edge_count * len(instance.data) <= magnitude.WORK_LIMIT
    domains = _domains(instance)
    logs = [None if d["size"] is None else d["parameters"] * log2(d["size"]) for d in domains]
    exponent = None if None in logs else sum(x for x in logs if x is not None)
    return {
        "name": instance.name,
        "instance": instance.sha256,
        "network": {
            "spelling": network.spelling,
            "inputs": network.input_count,
            "outputs": len(network.outputs),
            "depth": network.depth,
            "neurons": network.node_count - network.input_count,
            "edges": network.edge_count,
            "parameters": network.parameter_count,
            "piecewise_linear": problem.is_piecewise_linear,
        },
        "domains": domains,
        "assignments": prod(d["size"] ** d["parameters"] for d in domains)
        if exponent is not None and exponent <= _WRITTEN_COUNT
        else None,
        "assignments_log2": None if exponent is None else round(exponent, 3),
        "data": {
            "samples": len(instance.data),
            "distinct": len(problem.samples.rows) if examined else None,
            "weighted": instance.data.sample_weights is not None,
        },
        "loss": instance.loss.canonical(),
        "threshold": None if instance.threshold is None else write_rational(instance.threshold),
        "bits": bit_lengths(problem),
        "vertex_bits": vertex_bits(problem) if examined else None,
        "symmetries": _symmetries(problem) if examined else None,
        "engines": _engines(problem),
        "warnings": list(instance.warnings),
    }


def _domains(instance: Instance) -> list[dict[str, Any]]:
    """Each domain in use, with its number of parameters and of values."""
    counted = Counter(parameter.domain for parameter in instance.network.parameters)
    return [
        {
            "domain": domain.canonical(),
            "words": describe_domain(domain.canonical()),
            "parameters": count,
            "size": domain.size,
        }
        for domain, count in counted.items()
    ]


def bit_lengths(problem: Problem) -> dict[str, Any]:
    """Bounds on the bits of every value, over all θ, without evaluating anything.

    ``bound`` holds for every numerator and denominator met in exact evaluation, ``layers`` are
    bounds of the scaled-integer form: of the integers before and after the activation, and of
    their static scales (docs/theory.md A4, A5). ``reason`` says why there are none.
    """
    instance = problem.instance
    if instance.network.edge_count > EDGE_LIMIT:
        reason = "the network is too large to be examined"
        return {"bound": None, "layers": [], "reason": reason}
    if instance.network.edge_count * len(instance.data) > magnitude.WORK_LIMIT:
        reason = "the instance is too large to be examined"
        return {"bound": None, "layers": [], "reason": reason}
    unbounded = [p.name for p in instance.network.parameters if p.domain.low is None]
    if unbounded:
        reason = f"{unbounded[0]} has an unbounded domain"
        return {"bound": None, "layers": [], "reason": reason}
    if any(p.domain.grid is None for p in instance.network.parameters):
        reason = "a rational domain has a scale for each certificate, none for all of them"
        return {"bound": None, "layers": [], "reason": reason}
    bound = number_bits(problem)
    if bound > BITS_LIMIT:
        reason = f"numbers may have {bound} bits, too many to compute ranges"
        return {"bound": bound, "layers": [], "reason": reason}
    if instance.network.edge_count * len(instance.data) > WORK_LIMIT:
        reason = "the instance is too large to compute ranges"
        return {"bound": bound, "layers": [], "reason": reason}
    form = problem.integer
    if form is None:
        return {"bound": bound, "layers": [], "reason": "the parameters have no common grid"}
    layers: dict[int, list[int]] = {}
    for at, neuron in enumerate(instance.network.neurons):
        row = layers.setdefault(neuron.layer, [0, 0, 0, 0, 0])
        integer = form.neurons[at]
        before = max(_bits(r.pre_activation[at]) for r in problem.ranges)
        after = max(_bits(r.output[at]) for r in problem.ranges)
        scales = (integer.scale.bit_length(), integer.output_scale.bit_length())
        row[0] += 1
        row[1:] = [max(a, b) for a, b in zip(row[1:], (before, after, *scales), strict=True)]
    names = ("units", "pre_activation", "output", "scale", "output_scale")
    return {
        "bound": bound,
        "layers": [
            {"layer": layer, **dict(zip(names, row, strict=True))}
            for layer, row in sorted(layers.items())
        ],
        "reason": None,
    }


def _bits(interval: tuple[int, int]) -> int:
    return max(abs(interval[0]).bit_length(), abs(interval[1]).bit_length(), 1)


def _symmetries(problem: Problem) -> dict[str, Any]:
    classes = interchangeable_classes(problem.symmetries)
    first = problem.instance.network.input_count
    labels = problem.instance.network.neurons if classes else ()
    return {
        "interchanges": len(problem.symmetries),
        "classes": [[labels[node - first].label for node in members] for members in classes],
    }


def _engines(problem: Problem) -> list[dict[str, Any]]:
    """What every engine says, for both tasks."""
    plans = {
        "solve": make_plan(problem, "decide"),
        "minimize": make_plan(Problem(problem.instance.with_threshold(None)), "minimize"),
    }
    if problem.instance.threshold is None:
        del plans["solve"]
    found: dict[str, dict[str, Any]] = {}
    for task, plan in plans.items():
        started = [entrant.name for entrant in plan.entrants]
        for candidate in plan.candidates:
            entry = found.setdefault(
                candidate.name,
                {
                    "name": candidate.name,
                    "summary": None if candidate.engine is None else candidate.engine.summary,
                },
            )
            capability = candidate.capability
            entry[task] = {
                "applicable": capability.applicable,
                "complete": capability.complete,
                "reason": capability.reason,
                "place": started.index(candidate.name) + 1 if candidate.name in started else None,
            }
    return list(found.values())
