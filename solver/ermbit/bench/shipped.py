"""The peers that come with the source tree: general solvers on natural encodings.

They live in ``scripts/peers`` with an environment of their own, and are commands like any peer:
``python -m peers NAME INSTANCE --task T --timeout S --threads K`` prints one JSON object. An
installed ermbit without that folder has no peers but those that are given as commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from importlib import import_module
from typing import Any

from ermbit.bench.solver import ROOT, Solver
from ermbit_instances.errors import UsageError

SCRIPTS = ROOT / "scripts"


def names() -> tuple[str, ...]:
    """The peers that are there, none without their folder."""
    if not (SCRIPTS / "peers" / "__main__.py").is_file():
        return ()
    return tuple(_module("peers.__main__").PEERS)


def peer(name: str) -> Solver:
    """A shipped peer; :func:`prepare` makes what it needs.

    Raises:
        UsageError: there is none of this name.
    """
    known = names()
    if not known:
        raise UsageError(
            "peers: the shipped ones come with the source tree; give any other as "
            "--peer NAME=COMMAND"
        )
    if name not in known:
        raise UsageError(
            f"peers: no {name[:40]!r}, there are {', '.join(known)}; give any other as "
            "--peer NAME=COMMAND"
        )
    path = os.pathsep.join((str(SCRIPTS), str(ROOT / "instances")))
    words = (str(_module("peers.environment").PYTHON), "-m", "peers", name)
    pinned = partial(_module("peers.environment").version, name)
    return Solver(name, words, {"PYTHONPATH": path}, pinned)


def prepare() -> None:
    """Make the environment of the shipped peers, if it is not there.

    Raises:
        UsageError: it cannot be made; pip's own words are on standard error.
    """
    try:
        _module("peers.environment").prepare()
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"peers: their environment cannot be made: {error}") from None


def _module(name: str) -> Any:
    if str(SCRIPTS) not in sys.path:
        sys.path.append(str(SCRIPTS))
    return import_module(name)
