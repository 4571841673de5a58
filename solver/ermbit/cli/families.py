"""``ermbit families``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ermbit.cli.arguments import add_json
from ermbit.cli.output import Output

if TYPE_CHECKING:
    from ermbit_instances.families import Family, FamilyParameter

SUMMARY = "list the families of benchmark instances"
DESCRIPTION = "Lists the families of `ermbit generate` with their parameters and sources."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", metavar="FAMILY", nargs="?", help="only this one")
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit_instances import families
    from ermbit_instances.errors import UsageError

    chosen = families.families()
    if arguments.family is not None:
        if arguments.family not in chosen:
            known = ", ".join(chosen)
            raise UsageError(f"unknown family {arguments.family[:60]!r} (known: {known})")
        chosen = {arguments.family: chosen[arguments.family]}
    lines: list[str] = []
    for family in chosen.values():
        lines += [family.name, f"  {family.summary}", f"  source: {family.source}"]
        lines += [f"  --set {_described(parameter)}" for parameter in family.parameters]
    return Output(0, lines, {"families": [_document(family) for family in chosen.values()]})


def _described(parameter: FamilyParameter) -> str:
    legal: str = parameter.type
    if parameter.choices:
        legal = " | ".join(parameter.choices)
    elif parameter.low is not None or parameter.high is not None:
        low = "" if parameter.low is None else parameter.low
        high = "" if parameter.high is None else parameter.high
        legal = f"{parameter.type} {low}..{high}"
    return f"{parameter.name}={parameter.default}  ({legal}) {parameter.help}"


def _document(family: Family) -> dict[str, Any]:
    return {
        "name": family.name,
        "summary": family.summary,
        "source": family.source,
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "default": parameter.default,
                "low": parameter.low,
                "high": parameter.high,
                "choices": list(parameter.choices),
                "help": parameter.help,
            }
            for parameter in family.parameters
        ],
    }
