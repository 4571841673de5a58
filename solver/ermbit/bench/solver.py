"""A solver is a command: how engines of ermbit and peers are called.

The words of a command may have the placeholders of :data:`PLACEHOLDERS`. A command that does not
say where the instance goes gets ``INSTANCE --task T --timeout S --threads K`` at its end.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ermbit import __version__
from ermbit.bench.case import Case, repeated
from ermbit.engines import registry
from ermbit.processes.child import import_path
from ermbit_instances.errors import UsageError

OURS = "ermbit"
ROOT = Path(__file__).resolve().parents[3]
"""The source tree, if this is one."""
PLACEHOLDERS = ("instance", "task", "timeout", "memory", "threads", "seed")
_TAIL = ("{instance}", "--task", "{task}", "--timeout", "{timeout}", "--threads", "{threads}")
_PLACEHOLDER = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z", re.ASCII)


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Attributes:
        timeout: wall-clock seconds.
        memory: megabytes of the command and all processes below it.
        cores: the processors that it may use.
    """

    timeout: float
    memory: int
    cores: tuple[int, ...]


@dataclass(frozen=True)
class Solver:
    """A command that answers instances.

    Attributes:
        name: in results and tables; of an engine ``ermbit`` or ``ermbit:ENGINE``.
        words: of the command, with placeholders.
        variables: environment variables that it needs besides those of this process.
        version: called before each run, since a checkout may change while a benchmark goes on;
            "" if it is not known.
    """

    name: str
    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    version: Callable[[], str] = field(default=str, compare=False)

    @property
    def is_ours(self) -> bool:
        """Whether it is ermbit itself, and no peer."""
        return is_ours(self.name)

    def command(self, case: Case, limits: Limits, seed: int) -> list[str]:
        """The words to run for a case."""
        given = {
            "instance": str(case.file),
            "task": case.task,
            "timeout": f"{limits.timeout:g}",
            "memory": str(limits.memory),
            "threads": str(len(limits.cores)),
            "seed": str(seed),
        }
        words = self.words
        if not any("{instance}" in word for word in words):
            words = (*words, *_TAIL)
        filled = [_PLACEHOLDER.sub(lambda match: given[match[1]], word) for word in words]
        if self.is_ours and case.allow_external_data:
            filled.append("--allow-external-data")
        return filled


def is_ours(name: str) -> bool:
    """Whether a solver of this name is ermbit."""
    return name.partition(":")[0] == OURS


def engine(name: str) -> Solver:
    """ermbit with one engine, ``auto`` or ``cross-check``, in a fresh process of this Python.

    Raises:
        UsageError: no such engine.
    """
    if name not in ("auto", "cross-check"):
        registry.engine(name)
    words = (
        sys.executable, "-P", "-m", "ermbit", "{task}", "{instance}", "--json",
        "--engine", name, "--timeout", "{timeout}", "--memory", "{memory}", "--seed", "{seed}",
    )  # fmt: skip
    full = OURS if name == "auto" else f"{OURS}:{name}"
    return Solver(full, words, {"PYTHONPATH": os.pathsep.join(import_path())}, own_version)


CODE = ("solver", "encodings", "instances/ermbit_instances")
"""What the answers of a checkout hang on."""


def own_version(root: Path = ROOT) -> str:
    """ermbit's version; from a checkout with the commit, ``-dirty`` where its code was changed.

    Rows that a benchmark appends to files of the checkout change no code.
    """
    if not (root / ".git").exists() or not shutil.which("git"):
        return __version__

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    commit = git("rev-parse", "--short", "HEAD").stdout.strip()
    if commit and git("status", "--porcelain", "--", *CODE).stdout:
        commit += "-dirty"
    return __version__ + (f"+{commit}" if commit else "")


def command_peer(text: str) -> Solver:
    """A peer from ``NAME=COMMAND``, the command split into words as a POSIX shell does.

    Raises:
        UsageError: not of this form, or a command that is not there.
    """
    name, equals, command = text.partition("=")
    if not equals or not _NAME.match(name) or is_ours(name):
        raise UsageError(f"peer: expected NAME=COMMAND, not {text[:60]!r}")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"peer {name}: {str(error).lower()} in its command") from None
    if not words:
        raise UsageError(f"peer {name}: its command is empty")
    program = shutil.which(words[0])
    if program is None:
        raise UsageError(f"peer {name}: no program {words[0][:60]!r}")
    return Solver(name, (str(Path(program).absolute()), *words[1:]))


def check_names(solvers: Sequence[Solver]) -> None:
    """Refuse two solvers of one name.

    Raises:
        UsageError: with the name.
    """
    twice = repeated(solver.name for solver in solvers)
    if twice:
        raise UsageError(f"two solvers are called {min(twice)}")
