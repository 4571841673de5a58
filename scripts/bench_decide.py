#!/usr/bin/env python3
"""ermbit against general solvers on natural encodings; docs/benchmark.md says how and why.

    scripts/bench_decide.py run --set main --solvers ermbit,cpsat,z3,cvc5,highs --timeout 20 \\
        --jobs 2 --out FILE.csv
    scripts/bench_decide.py table FILE.csv...
    scripts/bench_decide.py cases --set main
    scripts/bench_decide.py optima

Every solver runs on every case in a fresh process. Started with any Python >= 3.11, it goes on in
``.venv`` (scripts/ermbit makes it); peers run in ``.venv-peers``, which is made on first use.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv" / "bin" / "python"
for _folder in ("solver", "encodings", "instances", "scripts"):
    sys.path.insert(0, str(ROOT / _folder))

if __name__ == "__main__" and Path(sys.prefix).resolve() != OWN.parent.parent.resolve():
    if not OWN.exists():
        sys.exit("no .venv yet: run scripts/ermbit once")
    os.execv(OWN, [str(OWN), *sys.argv])

from benchmark import files, optima  # noqa: E402
from benchmark.sets import SETS, SUBSETS, cases, sample  # noqa: E402

from ermbit.bench import runs, shipped, solver, tables  # noqa: E402
from ermbit.bench.records import Record, Results, read  # noqa: E402
from ermbit.bench.scores import Scores  # noqa: E402
from ermbit_instances.errors import ErmbitError  # noqa: E402


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run solvers on a set, append rows to a CSV file")
    run.add_argument("--set", choices=(*SETS, *SUBSETS), required=True, metavar="SET")
    run.add_argument(
        "--solvers",
        default="ermbit,cpsat,z3,cvc5,highs",
        help=f"of ermbit, ermbit:ENGINE, {', '.join(shipped.names())}; by commas",
    )
    run.add_argument("--timeout", type=float, default=20.0, help="wall seconds of one run")
    run.add_argument("--memory", type=int, default=4096, help="megabytes of one process")
    run.add_argument(
        "--jobs", type=int, default=1, help="runs side by side; each has its share of processors"
    )
    run.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    run.add_argument("--resume", action="store_true", help="skip what FILE.csv has")
    run.add_argument("--every", type=int, default=1, metavar="K", help="a fixed sample: one in K")
    run.add_argument("--match", default="", help="only cases whose name contains this")
    table = commands.add_parser("table", help="tables in Markdown from CSV files")
    table.add_argument("files", type=Path, nargs="+", metavar="FILE.csv")
    table.add_argument("--details", action="store_true", help="every case as well")
    listing = commands.add_parser("cases", help="list the cases of a set, or write their files")
    listing.add_argument("--set", choices=(*SETS, *SUBSETS), required=True, metavar="SET")
    listing.add_argument("--write", type=Path, metavar="FOLDER")
    least = commands.add_parser("optima", help="find the least losses that main is made from")
    least.add_argument("--timeout", type=float, default=60.0)
    return top


def main() -> int:
    """Run one command; 1 if some answer was wrong."""
    given = parser().parse_args()
    if given.command == "table":
        rows = read(given.files)
        scores = Scores(rows)
        print("\n".join(tables.report(scores, rows, details=given.details)))
        return int(not scores.judgement.is_clean)
    if given.command == "cases":
        for case in cases(given.set):
            if given.write:
                files.write(case, given.write)
            print(case.name, case.kind, case.task, case.expected or "-", case.family, sep="\t")
        return 0
    if given.command == "optima":
        optima.find(given.timeout)
        return 0
    return measure(given)


def measure(given: argparse.Namespace) -> int:
    """Run a set; 1 if some answer was wrong."""
    matching = [c for c in cases(given.set) if given.match in c.name]
    chosen = sample(matching, given.every)
    solvers = [called(name) for name in given.solvers.split(",")]
    if not all(one.is_ours for one in solvers):
        shipped.prepare()
    settings = runs.Settings(given.timeout, given.memory, given.jobs)
    with tempfile.TemporaryDirectory() as folder:
        prepared = files.prepared(given.set, chosen, Path(folder))
        with Results(given.out, resume=given.resume) as results:
            ending = runs.run(prepared, solvers, settings, results, show)
    scores = Scores(ending.records)
    print("\n".join(tables.alerts(scores)), file=sys.stderr)
    return int(not scores.judgement.is_clean)


def called(name: str) -> solver.Solver:
    """The solver of a name."""
    if solver.is_ours(name):
        return solver.engine(name.partition(":")[2] or "auto")
    return shipped.peer(name)


def show(done: int, to_do: int, record: Record) -> None:
    """One line of progress."""
    print(f"{done}/{to_do} {tables.progress(record)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ErmbitError as error:
        print(f"bench_decide.py: {error}", file=sys.stderr)
        sys.exit(2)
