#!/usr/bin/env python3
"""Networks with polynomial activations: ermbit and general solvers side by side, class by class.

    scripts/bench_polynomial.py --timeout 60 --jobs 2 --out FILE.csv --resume

is ``scripts/bench_decide.py run --set polynomial`` with these options, followed by its tables:
instances of degrees 2 to 4 from fixed seeds (scripts/benchmark/polynomial_set.py), answers known by
construction. Every solver runs on every instance in a fresh process, certificates are evaluated
exactly, wrong answers are listed first and make the exit status 1; docs/benchmark.md has the rules.
``--table FILE.csv...`` prints the tables of results that are there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DECIDE = [sys.executable, str(Path(__file__).resolve().with_name("bench_decide.py"))]


def main() -> int:
    """Run, then print tables; 1 if some answer was wrong."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--table"]:
        return subprocess.call([*DECIDE, "table", *arguments[1:]])
    if "-h" in arguments or "--help" in arguments:
        print(__doc__)
    status = subprocess.call([*DECIDE, "run", "--set", "polynomial", *arguments])
    if "--out" in arguments and status in (0, 1):
        status |= subprocess.call([*DECIDE, "table", arguments[arguments.index("--out") + 1]])
    return status


if __name__ == "__main__":
    sys.exit(main())
