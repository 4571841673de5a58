"""A benchmark as a user asks for it: collect the cases, run what is missing, compare, draw."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ermbit.bench import collection, shipped
from ermbit.bench.case import Case
from ermbit.bench.collection import LIBRARY, Source, Wish
from ermbit.bench.records import Record, Results, read
from ermbit.bench.runs import Ending, Listener, Settings, run
from ermbit.bench.scores import Scores
from ermbit.bench.solver import Solver, check_names, command_peer, engine
from ermbit_instances.errors import UsageError


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        paths: instance files, folders, lists.
        sets: ``library`` and names of families.
        settings: parameters of the families, key → values to combine.
        seeds: of the instances of families.
        wish: what is asked of every instance.
        engines: of ermbit; ``auto`` and ``cross-check`` too.
        peers: names of shipped peers; ``commands``: others, ``NAME=COMMAND``.
    """

    paths: Sequence[str] = ()
    sets: Sequence[str] = ()
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    wish: Wish = field(default_factory=Wish)
    engines: Sequence[str] = ("auto",)
    peers: Sequence[str] = ()
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Session:
    """What came out: all results, how the run ended, and the comparison."""

    records: list[Record]
    scores: Scores
    missing: int = 0
    interrupted: bool = False

    @property
    def status(self) -> int:
        """Exit status: 1 if some answer is wrong, 130 if it was interrupted, else 0."""
        if not self.scores.judgement.is_clean:
            return 1
        return 130 if self.interrupted else 0


def perform(
    request: Request, settings: Settings, out: Path, *, resume: bool, listen: Listener
) -> Session:
    """Run a benchmark and append its results to a file.

    Raises:
        UsageError: nothing to run, an unknown engine, peer or set.
        InputError: a path, an instance or the file of results; see the modules.
    """
    solvers = chosen_solvers(request)
    with tempfile.TemporaryDirectory(prefix="ermbit-bench-") as name:
        cases = chosen_cases(request, Path(name))
        if request.peers:
            shipped.prepare()
        with Results(out, resume=resume) as results:
            ending: Ending = run(cases, solvers, settings, results, listen, Path(name))
    return Session(ending.records, Scores(ending.records), ending.missing, ending.interrupted)


def compare(files: Sequence[str]) -> Session:
    """The comparison of results that are there.

    Raises:
        InputError: a file that is none.
    """
    records = read(Path(name) for name in files)
    return Session(records, Scores(records))


def chosen_solvers(request: Request) -> list[Solver]:
    """The solvers, engines first.

    Raises:
        UsageError: an unknown one, two of one name, or none at all.
    """
    if request.wish.threshold is not None and request.wish.task == "minimize":
        raise UsageError("threshold: it plays no role in minimize")
    solvers = [engine(name) for name in request.engines]
    solvers += [command_peer(text) for text in request.commands]
    check_names([*solvers, *(Solver(name, ()) for name in request.peers)])
    solvers += [shipped.peer(name) for name in request.peers]
    if not solvers:
        raise UsageError("no solver: give --engines, --peers or --peer")
    return solvers


def chosen_cases(request: Request, folder: Path) -> list[Case]:
    """The cases in the order of the request: paths first, then sets.

    Args:
        folder: generated instances are written there.

    Raises:
        UsageError: no instance, an unknown set, or parameters without a family.
        InputError: of an instance or a list.
    """
    sources: list[Source] = collection.named(request.paths)
    if request.settings and set(request.sets) <= {LIBRARY}:
        raise UsageError("with: parameters are those of families, but no family is asked for")
    for number, name in enumerate(dict.fromkeys(request.sets)):
        if name == LIBRARY:
            sources += collection.library()
        else:
            place = folder / str(number)
            sources += collection.generated(name, request.settings, request.seeds, place)
    if not sources:
        raise UsageError("no instance: give files, folders, lists or --set")
    return collection.cases(sources, request.wish, folder)
