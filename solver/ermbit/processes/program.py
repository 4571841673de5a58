"""Whether this process is the program ``ermbit``, and not a program of somebody who uses ermbit.

Then nothing in it belongs to others: no handlers, open files, settings of numeric libraries. A
process of others is never copied (:mod:`ermbit.processes.nursery`), and its environment is left
alone.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

_declared: list[int] = []


def declare() -> None:
    """Say that this process runs the command line and nothing else."""
    _declared.append(os.getpid())


def is_declared() -> bool:
    """Whether :func:`declare` was called in this process."""
    return os.getpid() in _declared


def one_numeric_thread(environment: MutableMapping[str, str]) -> None:
    """Let numeric libraries that are imported from now on have one thread, unless told otherwise.

    A race runs as many processes as it was given threads, so each of them gets one; and a process
    whose libraries have more cannot be copied.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.setdefault(variable, "1")
