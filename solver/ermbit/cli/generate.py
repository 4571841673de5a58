"""``ermbit generate``."""

from __future__ import annotations

import argparse
from typing import Any

from ermbit.cli.arguments import add_json
from ermbit.cli.output import Output

SUMMARY = "write benchmark instances of a family"
DESCRIPTION = (
    "Writes NAME.erm.json, and NAME.cert.json where a certificate is known, for COUNT seeds from "
    "K on. Equal command lines write equal bytes. `ermbit families` lists families and parameters."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", metavar="FAMILY", help="name of the family")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="settings",
        action="extend",
        nargs="+",
        default=[],
        help="parameters of the family",
    )
    parser.add_argument("--seed", metavar="K", default="0", help="first seed (default: 0)")
    parser.add_argument("--count", metavar="N", default="1", help="how many (default: 1)")
    parser.add_argument(
        "--out", metavar="DIR", default=".", help="folder, made if missing (default: this one)"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit_instances import families
    from ermbit_instances.errors import MissingFileError, UsageError
    from ermbit_instances.families.writing import write

    first = _integer("seed", arguments.seed, 0)
    count = _integer("count", arguments.count, 1)
    settings: dict[str, Any] = {}
    for setting in arguments.settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise UsageError(f"--set: expected KEY=VALUE, not {setting[:60]!r}")
        if key in settings:
            raise UsageError(f"--set: {key} is given twice")
        settings[key] = value
    known = families.families()
    if arguments.family in known:
        known[arguments.family].read_parameters(settings)  # also refuses what **settings cannot
    files = []
    for seed in range(first, first + count):
        generated = families.generate(arguments.family, seed, **settings)
        try:
            files += [str(path) for path in write(generated, arguments.out)]
        except OSError as error:
            if isinstance(error, MissingFileError):
                raise
            reason = error.strerror or "cannot be written"
            raise MissingFileError(reason, file=arguments.out) from None
    document = {
        "family": arguments.family,
        "seeds": {"first": first, "count": count},
        "files": files,
    }
    return Output(0, files, document)


def _integer(name: str, text: str, low: int) -> int:
    from ermbit_instances.errors import UsageError

    if not text.isascii() or not text.lstrip("-").isdigit() or len(text) > 19 or int(text) < low:
        raise UsageError(f"{name}: expected an integer of at least {low}, not {text[:60]!r}")
    return int(text)
