"""``ermbit minimize``."""

from __future__ import annotations

import argparse

from ermbit.cli.arguments import add_instance, add_json, add_search
from ermbit.cli.output import Output

SUMMARY = "find the least loss over the domains"
DESCRIPTION = (
    "Finds the least loss. The first line of standard output is optimal, infimum, feasible or "
    "unknown; the exit status is 10 for a proved least loss or infimum, else 0. Ctrl-C or a "
    "timeout prints the best certificate so far and a proved lower bound."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_instance(parser)
    add_search(parser)
    parser.add_argument("--certificate", metavar="OUT", help="write the best certificate here")
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.cli.searching import run_search

    return run_search("minimize", arguments)
