"""The entry of the command line: parse, run one command, print, and say what went wrong.

Exit status: that of the command; 2 for bad input or usage; 4 for an internal error, with a
reproduction file; 130 for Ctrl-C outside of a search. Standard output is empty unless the command
came to its end.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ermbit import __version__
from ermbit.cli.arguments import Parser
from ermbit.cli.output import Output, complain
from ermbit_instances.errors import ErmbitError, InternalError

COMMANDS = (
    "solve",
    "minimize",
    "verify",
    "gradient",
    "info",
    "generate",
    "families",
    "slp",
    "dichotomy",
    "bench",
)

BAD_INPUT = 2
INTERNAL = 4
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: the words after the program's name; ``None`` for those of the process, which
            then is taken for the program itself.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parsed: argparse.Namespace | None = None
    # Names of neurons and files need not fit the terminal's character set.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from ermbit.processes import program
        from ermbit.processes.interrupts import terminate_as_interrupt

        if arguments is None:
            program.declare()
        parsed = _parser().parse_args(words)
        with terminate_as_interrupt():
            module = import_module(f"ermbit.cli.{parsed.command}")
            output: Output = module.run(parsed)
        return _print(output, as_json=parsed.json)
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        complain("error", "interrupted")
        return INTERRUPTED
    except Exception as error:
        return _explain(error, words, parsed)


class _Overview(argparse.HelpFormatter):
    """Room for the longest command: argparse forgets the commands' own indentation."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 4 + max(map(len, COMMANDS))


def _parser() -> Parser:
    parser = Parser(
        prog="ermbit",
        description="Exact decision of bit-model empirical risk minimisation: "
        "can this network fit this data?",
        epilog="`ermbit COMMAND --help` explains a command.",
        formatter_class=_Overview,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ermbit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"ermbit.cli.{name}")
        command = commands.add_parser(
            name, help=module.SUMMARY, description=module.DESCRIPTION, allow_abbrev=False
        )
        module.add_arguments(command)
    return parser


def _print(output: Output, *, as_json: bool) -> int:
    status = output.status
    if sys.stdout is not None:
        try:
            sys.stdout.write(output.render(as_json=as_json))
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_standard_output()  # whoever read it has seen enough
        except OSError as error:
            complain("error", f"standard output: {error.strerror or error}")
            _drop_standard_output()
            status = BAD_INPUT
    if output.afterwards is not None:
        complain("error", str(output.afterwards))
        status = BAD_INPUT
    return status


def _drop_standard_output() -> None:
    """Send what is still buffered nowhere, or Python complains about it at its end."""
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # not a file of the system
    finally:
        os.close(sink)


def _explain(error: Exception, words: list[str], parsed: argparse.Namespace | None) -> int:
    if os.environ.get("ERMBIT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    file = getattr(parsed, "instance", None)
    if isinstance(error, InternalError) and hasattr(error, "reproduction"):
        complain("internal error", str(error))
        return INTERNAL
    if isinstance(error, ErmbitError) and not isinstance(error, InternalError):
        complain("error", str(error))
        return BAD_INPUT
    if isinstance(error, MemoryError):
        complain("error", f"{file}: out of memory" if file else "out of memory")
        return BAD_INPUT
    from ermbit.reproduction import crash_reproduction

    path = crash_reproduction(error, words, file)
    where = "" if path is None else f" (reproduction file: {path})"
    complain("internal error", f"{type(error).__name__}: {error}{where}")
    return INTERNAL
