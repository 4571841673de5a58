"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from ermbit.options import NUMBER_MEMORY, SEARCH, TIMEOUT, Option
from ermbit_instances.errors import MissingFileError, UsageError
from ermbit_instances.rational import Rational, parse_rational


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, raised as :class:`UsageError`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def add_instance(parser: argparse.ArgumentParser) -> None:
    """INSTANCE and --allow-external-data."""
    parser.add_argument("instance", metavar="INSTANCE", help="the instance file, NAME.erm.json")
    parser.add_argument(
        "--allow-external-data",
        action="store_true",
        help="accept data files outside the folder of the instance",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    """The options of a search, and --verbose."""
    for option in SEARCH:
        default = option.otherwise if option.default is None else option.default
        parser.add_argument(
            f"--{option.name}",
            metavar=option.unit,
            default=option.default,
            type=_reader(option),
            help=f"{option.help} (default: {default})",
        )
    parser.add_argument(
        "--verbose", action="store_true", help="log the steps of the search on standard error"
    )


def add_numbers(parser: argparse.ArgumentParser) -> None:
    """--memory and --timeout of commands that compute one long number."""
    for option in (NUMBER_MEMORY, TIMEOUT):
        parser.add_argument(
            f"--{option.name}",
            metavar=option.unit,
            default=option.default,
            type=_reader(option),
            help=f"{option.help} (default: {option.otherwise})",
        )


def read_bits(text: str) -> tuple[int, int]:
    """``K`` or ``K:COUNT`` as (position, count)."""
    position, colon, count = text.partition(":")
    digits = position.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 4000):
        raise argparse.ArgumentTypeError(f"expected K or K:COUNT, not {text[:60]!r}")
    return int(position), read_count(count) if colon else 1


def read_count(text: str) -> int:
    """A number of bits, 1 to 2^20."""
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and 1 <= int(text) <= 2**20):
        raise argparse.ArgumentTypeError(f"expected a number of bits, not {text[:60]!r}")
    return int(text)


def read_threshold(text: str) -> Rational:
    """The γ of --threshold.

    Raises:
        UsageError: not a number.
    """
    try:
        return parse_rational(text)
    except ValueError as error:
        raise UsageError(f"threshold: {error}") from None


def writable_folder(name: str) -> Path:
    """The folder of a command's files, made if missing; found out before any work is done.

    Raises:
        MissingFileError: it cannot be made or written.
    """
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be written"
        raise MissingFileError(reason, file=name) from None
    return folder


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )


def _reader(option: Option) -> Any:
    def read(text: str) -> Any:
        try:
            return option.read(text)
        except UsageError as error:
            # argparse names the option itself.
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{option.name}: ")) from None

    return read
