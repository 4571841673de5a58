"""``ermbit info``."""

from __future__ import annotations

import argparse
from typing import Any

from ermbit.cli.arguments import add_instance, add_json
from ermbit.cli.output import Output, columns

SUMMARY = "show sizes, bit-length bounds and the engines that fit"
DESCRIPTION = (
    "Shows what is known of an instance before any search: parameters, domain sizes, bounds on "
    "bit-lengths, symmetries, and which engines are complete for it and why."
)

_LISTED = 12  # classes of interchangeable neurons, and members of one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_instance(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.inspection import describe
    from ermbit_instances.instance import load

    instance = load(arguments.instance, allow_external_data=arguments.allow_external_data)
    facts = describe(instance)
    return Output(0, _lines(facts), facts)


def _lines(facts: dict[str, Any]) -> list[str]:
    network, data = facts["network"], facts["data"]
    kind = "piecewise linear" if network["piecewise_linear"] else "polynomial"
    loss = facts["loss"]
    threshold = "none" if facts["threshold"] is None else str(facts["threshold"])[:80]
    lines = [
        str(facts["name"])[:200],
        f"instance: {facts['instance']}",
        f"network: {kind}, {network['inputs']} inputs, {network['neurons']} neurons in "
        f"{network['depth']} layers, {network['outputs']} outputs, {network['edges']} edges",
        f"parameters: {network['parameters']}",
        *(
            f"  {d['parameters']} in {d['words']}"
            + (" (infinitely many values)" if d["size"] is None else f" ({_count(d['size'])})")
            for d in facts["domains"]
        ),
        f"assignments: {_assignments(facts)}",
        f"samples: {data['samples']}"
        + ("" if data["distinct"] is None else f" ({data['distinct']} distinct)"),
        f"loss: {loss['name']}, {loss['reduction']}",
        f"threshold: {threshold}",
        *_bits(facts["bits"]),
        *_vertices(facts["vertex_bits"]),
        *_symmetries(facts["symmetries"]),
        "engines:",
    ]
    for engine in facts["engines"]:
        lines.append(
            f"  {engine['name']}" + (f": {engine['summary']}" if engine["summary"] else "")
        )
        for task in ("solve", "minimize"):
            if task in engine:
                lines.append(f"    {task}: {_fitness(engine[task])}")
    lines += [f"warning: {warning}" for warning in facts["warnings"]]
    return lines


def _count(size: int) -> str:
    return f"{size} values" if size < 10**15 else f"about 2^{size.bit_length() - 1} values"


def _assignments(facts: dict[str, Any]) -> str:
    if facts["assignments_log2"] is None:
        return "infinitely many"
    if facts["assignments"] is not None and facts["assignments"] < 10**15:
        return str(facts["assignments"])
    return f"about 2^{facts['assignments_log2']:.1f}"


def _bits(bits: dict[str, Any]) -> list[str]:
    if bits["bound"] is None:
        return [f"bit-lengths: no bound ({bits['reason']})"]
    lines = [f"bit-lengths: every number met has at most {bits['bound']} bits"]
    if bits["layers"]:
        head = ("layer", "units", "before activation", "after", "scale before", "scale after")
        names = ("layer", "units", "pre_activation", "output", "scale", "output_scale")
        rows = [tuple(row[name] for name in names) for row in bits["layers"]]
        lines += columns([head, *rows])
    else:
        lines.append(f"  {bits['reason']}")
    return lines


def _vertices(bits: int | None) -> list[str]:
    if bits is None:
        return []
    return [f"real weights: if any reach the threshold, so do rationals of {bits} bits"]


def _symmetries(symmetries: dict[str, Any] | None) -> list[str]:
    if symmetries is None:
        return []
    classes = symmetries["classes"]
    if not classes:
        return ["interchangeable neurons: none"]
    shown = []
    for members in classes[:_LISTED]:
        more = ", ..." if len(members) > _LISTED else ""
        shown.append("{" + ", ".join(members[:_LISTED]) + more + "}")
    more = ", ..." if len(classes) > _LISTED else ""
    return [f"interchangeable neurons: {', '.join(shown)}{more}"]


def _fitness(capability: dict[str, Any]) -> str:
    if not capability["applicable"]:
        return f"not applicable: {capability['reason']}"
    word = "complete" if capability["complete"] else "incomplete"
    place = "" if capability["place"] is None else f", starts as number {capability['place']}"
    return f"{word}{place}: {capability['reason']}"
