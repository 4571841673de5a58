"""``ermbit bench``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ermbit.bench.options import OPTIONS
from ermbit.cli.arguments import add_json, writable_folder
from ermbit.cli.output import Output, complain, one_line

if TYPE_CHECKING:
    from ermbit.bench.records import Record
    from ermbit.bench.session import Session

SUMMARY = "run solvers on many instances, check all answers, compare"
DESCRIPTION = (
    "Runs engines of ermbit and other solvers on instances under equal limits, each in a fresh "
    "process, checks every answer exactly, appends the results to a CSV file, and prints tables. "
    "A PATH is an instance file, a folder, or a list of paths (.csv with a column file, .txt). "
    "Exit status 1: some answer is wrong."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="PATH", nargs="*", help="instances, folders, lists")
    parser.add_argument(
        "--set",
        metavar="SET",
        dest="sets",
        action="append",
        default=[],
        help="'library', or the name of a family; may be repeated",
    )
    parser.add_argument(
        "--with",
        metavar="KEY=VALUE",
        dest="settings",
        action="append",
        default=[],
        help="a parameter of the families; of one that is repeated, all values",
    )
    parser.add_argument(
        "--seeds", metavar="LIST", default="0", help="of the families: 3, or 0-9 (default: 0)"
    )
    parser.add_argument(
        "--engines",
        metavar="LIST",
        default="auto",
        help="engines of ermbit, by commas; may be empty (default: auto)",
    )
    parser.add_argument(
        "--peers", metavar="LIST", default="", help="peers of the source tree, by commas"
    )
    parser.add_argument(
        "--peer",
        metavar="NAME=COMMAND",
        dest="commands",
        action="append",
        default=[],
        help="any other solver: a command that prints one JSON object; may be repeated",
    )
    parser.add_argument(
        "--task",
        metavar="TASK",
        choices=("solve", "minimize"),
        default="solve",
        help="solve or minimize (default: solve)",
    )
    parser.add_argument(
        "--threshold", metavar="Q", help="ask for this γ in place of each file's own"
    )
    for option in OPTIONS:
        parser.add_argument(
            f"--{option.name}",
            metavar=option.unit,
            default=option.otherwise,
            help=f"{option.help} (default: {option.otherwise})",
        )
    parser.add_argument(
        "--out", metavar="FILE.csv", default="bench.csv", help="results (default: bench.csv)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with that file: run what it lacks"
    )
    parser.add_argument(
        "--table",
        metavar="FILE.csv",
        nargs="+",
        action="extend",
        help="run nothing: compare the results of these files",
    )
    parser.add_argument("--details", action="store_true", help="print a table of all cases too")
    parser.add_argument("--plots", metavar="FOLDER", help="draw cactus and scatter plots (SVG)")
    parser.add_argument("--png", action="store_true", help="draw them as PNG as well")
    parser.add_argument(
        "--allow-external-data",
        action="store_true",
        help="accept data files outside the folders of the instances",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> Output:
    from ermbit.bench.session import compare

    plots = None if arguments.plots is None else writable_folder(arguments.plots)
    if arguments.table is not None:
        from ermbit_instances.errors import UsageError

        if arguments.paths or arguments.sets:
            raise UsageError("table: with it nothing is run, so no instances are given")
        session = compare(arguments.table)
    else:
        session = _run(arguments)
        if session.interrupted:
            runs = f"{session.missing} run{'s' if session.missing != 1 else ''}"
            complain("warning", f"interrupted, {runs} missing: --resume goes on")
    return _output(session, arguments, plots)


def _run(arguments: argparse.Namespace) -> Session:
    from ermbit.bench.collection import Wish
    from ermbit.bench.options import read_list, read_seeds, read_settings
    from ermbit.bench.runs import Settings
    from ermbit.bench.session import Request, perform
    from ermbit.cli.arguments import read_threshold

    numbers: dict[str, Any] = {o.name: o.read(getattr(arguments, o.name)) for o in OPTIONS}
    threshold = None if arguments.threshold is None else read_threshold(arguments.threshold)
    request = Request(
        arguments.paths,
        arguments.sets,
        read_settings(arguments.settings),
        read_seeds(arguments.seeds),
        Wish(arguments.task, threshold, arguments.allow_external_data),
        read_list(arguments.engines),
        read_list(arguments.peers),
        arguments.commands,
    )
    out = Path(arguments.out)
    return perform(request, Settings(**numbers), out, resume=arguments.resume, listen=_show)


def _show(done: int, to_do: int, record: Record) -> None:
    import sys
    from contextlib import suppress

    from ermbit.bench.tables import progress

    with suppress(OSError, AttributeError):  # nobody listens
        line = one_line(f"ermbit: {done}/{to_do} {progress(record)}")
        print(line, file=sys.stderr, flush=True)


def _output(session: Session, arguments: argparse.Namespace, plots: Path | None) -> Output:
    from ermbit.bench.tables import document, report
    from ermbit_instances.files import write_bytes

    drawn: list[str] = []
    if plots is not None and session.records:
        from ermbit.bench.plots import figures

        forms: tuple[Literal["svg", "png"], ...] = ("svg", "png") if arguments.png else ("svg",)
        for name, data in figures(session.scores, forms).items():
            drawn.append(str(plots / name))
            write_bytes(drawn[-1], data)
    lines = report(session.scores, session.records, details=arguments.details)
    files = arguments.table or [arguments.out]
    found = {
        "results": list(files),
        "runs": len(session.records),
        "missing": session.missing,
        "interrupted": session.interrupted,
        **document(session.scores),
        "plots": drawn,
    }
    return Output(session.status, [*lines, *([""] if drawn else []), *drawn], found)
