"""``ermbit solve``."""

from __future__ import annotations

import argparse

from ermbit.cli.arguments import add_instance, add_json, add_search
from ermbit.cli.output import Output

SUMMARY = "decide whether some θ in the domains has L(θ) ≤ γ"
DESCRIPTION = (
    "Decides the instance. The first line of standard output is sat, unsat or unknown; the exit "
    "status is 10, 20 or 0."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_instance(parser)
    parser.add_argument(
        "--threshold", metavar="Q", help="ask for this γ in place of the file's (1/2, 0.1, ...)"
    )
    add_search(parser)
    parser.add_argument("--certificate", metavar="OUT", help="write the certificate of a sat here")
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.cli.searching import run_search

    return run_search("decide", arguments, threshold=arguments.threshold)
