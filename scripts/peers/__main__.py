"""``python -m peers NAME INSTANCE``: one peer on one instance, one JSON line on standard output."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from peers.answer import Answer, NotSupported
from peers.reading import read

PEERS = {
    "cpsat": ("cpsat", {}),
    "z3": ("smt", {"backend": "z3"}),
    "z3-integer": ("smt", {"backend": "z3", "theory": "integer"}),
    "z3-bits": ("smt", {"backend": "z3", "theory": "bits"}),
    "cvc5": ("smt", {"backend": "cvc5"}),
    "cvc5-integer": ("smt", {"backend": "cvc5", "theory": "integer"}),
    "cvc5-bits": ("smt", {"backend": "cvc5", "theory": "bits"}),
    "highs": ("milp", {}),
}
"""Name → module of this package, arguments of its ``run``."""


MARGIN = 0.3
"""Seconds that are kept back for the end of the process."""


def age() -> float:
    """Seconds since this process was started, where the system tells; interpreter included."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks = int(fields[19])  # field 22 of proc(5): start time after boot
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return time.process_time()


def answer(name: str, path: str, task: str, timeout: float, threads: int) -> Answer:
    """What peer ``name`` says of an instance file; start-up and reading are within the timeout."""
    module, arguments = PEERS[name]
    try:
        run: Any = importlib.import_module(f"peers.{module}").run
        question = read(path)
        left = max(0.1, timeout - MARGIN - age())
        found: Answer = run(question, task, left, threads, **arguments)
    except NotSupported as error:
        return Answer("unsupported", reason=str(error))
    except MemoryError:
        return Answer("unknown", reason="out of memory")
    return found


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("instance")
    parser.add_argument("--task", choices=("solve", "minimize"), default="solve")
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    sys.set_int_max_str_digits(0)  # solvers take numbers as text
    start = time.perf_counter()
    found = answer(given.name, given.instance, given.task, given.timeout, given.threads)
    line = {"peer": given.name, **found.to_json(), "seconds": time.perf_counter() - start}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
