#!/usr/bin/env python3
"""Try all solvers for a long time on the instances of the library that may be open.

    scripts/measure_open.py [--jobs J] [--hours H] [--solvers LIST] [--match TEXT ...] [--limit K]
    scripts/measure_open.py --list

Every solver runs on every candidate in a fresh process, as in ``ermbit bench``, and every
certificate is checked. A row is appended to ``scripts/library_sources/open_runs.csv`` as soon as a
run has ended, so it may be killed at any time; what the file has for a question is not run again.
Instances that few solvers can state come first, the families in turn; one that is decided is left.
Since ermbit's engines share the processors in its own run, each that can state the instance is
then run alone, as long; a single engine is also called for by name, as ``ermbit:ENGINE``.
A checked certificate, or ``unsat`` by ermbit, goes to ``answers.json`` as well. Afterwards
``scripts/build_library.py`` derives from the file what is open. Exit status 1: an answer is wrong.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv" / "bin" / "python"
for _folder in ("solver", "encodings", "instances", "tests", "scripts"):
    sys.path.insert(0, str(ROOT / _folder))

if __name__ == "__main__" and Path(sys.prefix).resolve() != OWN.parent.parent.resolve():
    if not OWN.exists():
        sys.exit("no .venv yet: run scripts/ermbit once")
    os.execv(OWN, [str(OWN), *sys.argv])

from library_sources import answers, generated, open_runs  # noqa: E402
from library_sources.open_runs import Run, standing  # noqa: E402

from ermbit.bench import runs, shipped  # noqa: E402
from ermbit.bench.case import Case, question_hash  # noqa: E402
from ermbit.bench.checking import Checked  # noqa: E402
from ermbit.bench.guard import Guard  # noqa: E402
from ermbit.bench.reply import Reply  # noqa: E402
from ermbit.bench.solver import Limits, Solver, engine, is_ours  # noqa: E402
from ermbit.plan import make_plan  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.errors import ErmbitError  # noqa: E402
from ermbit_instances.files import write_text  # noqa: E402
from ermbit_instances.instance import Instance, parse_instance  # noqa: E402
from ermbit_instances.jsonfile import dump_json  # noqa: E402
from ermbit_instances.rational import write_rational  # noqa: E402


@dataclass(frozen=True)
class Candidate:
    """An instance to be tried.

    Attributes:
        status: what is known by construction, or ``unknown``.
        cost: about how many solvers can state it; only the order hangs on it.
    """

    instance: Instance
    case: Case
    status: str
    cost: int

    @property
    def name(self) -> str:
        return self.case.name


def main() -> int:
    """Run what is missing; exit status 1 if some answer was wrong."""
    given = parser().parse_args()
    names = given.solvers.split(",")
    wrong = [n for n in names if n not in open_runs.SOLVERS and not is_ours(n)]
    if wrong:
        known = ", ".join(open_runs.SOLVERS)
        sys.exit(f"measure_open.py: no solver {wrong[0]}: they are {known}, ermbit:ENGINE")
    with tempfile.TemporaryDirectory(prefix="ermbit-open-") as folder:
        chosen = [c for c in _candidates(Path(folder)) if any(m in c.name for m in given.match)]
        if given.limit is not None:
            chosen = chosen[: given.limit]
        if given.list:
            return _list(chosen, given.out)
        if not all(is_ours(name) for name in names):
            shipped.prepare()
        solvers = [_ours(n) if is_ours(n) else shipped.peer(n) for n in names]
        settings = runs.Settings(given.timeout, given.memory, given.jobs)
        end = time.monotonic() + 3600 * given.hours
        session = _Session(solvers, settings, end, given.out)
        try:
            session.perform(chosen, Path(folder))
        except KeyboardInterrupt:
            print("interrupted; called again it goes on", file=sys.stderr)
    for line in session.faults:
        print(f"WRONG {line}", file=sys.stderr)
    return 1 if session.faults else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--jobs", type=int, default=1, help="instances side by side (default: 1)")
    made.add_argument("--hours", type=float, default=1e6, help="begin no run that may end later")
    made.add_argument("--solvers", default=",".join(open_runs.SOLVERS), help="by commas")
    made.add_argument(
        "--match", nargs="+", default=[""], metavar="TEXT", help="only names that contain one"
    )
    made.add_argument("--limit", type=int, metavar="K", help="only the first K instances")
    made.add_argument("--timeout", type=float, default=open_runs.LIMIT, help="default: 600")
    made.add_argument("--memory", type=int, default=8192, help="megabytes (default: 8192)")
    made.add_argument("--out", type=Path, default=open_runs.PATH, help="another file of rows")
    made.add_argument("--list", action="store_true", help="run nothing: show what is known")
    return made


def _ours(name: str) -> Solver:
    """ermbit as a whole, or one engine of it."""
    return engine(name.partition(":")[2] or "auto")


def _candidates(folder: Path) -> list[Candidate]:
    """The instances in the order in which they are tried, their files in ``folder``."""
    found = []
    for item in generated.candidates():
        document = {key: value for key, value in item.document.items() if key != "meta"}
        instance = parse_instance(document)
        file = folder / f"{document['name']}.erm.json"
        write_text(file, dump_json(document))  # solvers do not see what meta says
        assert instance.threshold is not None
        case = Case(
            set="library",
            name=document["name"],
            family=item.document["meta"].get("family", ""),
            kind="",
            task="solve",
            file=file,
            question=question_hash(instance),
            threshold=str(write_rational(instance.threshold)),
        )
        status = item.document["meta"]["status"]
        found.append(Candidate(instance, case, status, _able(instance)))
    order: Counter[tuple[int, str]] = Counter()
    place = {}
    for candidate in found:  # the families in turn
        group = (candidate.cost, candidate.case.family)
        place[candidate.name] = (candidate.cost, order[group])
        order[group] += 1
    return sorted(found, key=lambda c: place[c.name])


def _able(instance: Instance) -> int:
    """About how many solvers can state an instance; see "Not supported" in docs/benchmark.md."""
    activations = {layer.activation for layer in instance.network.layers}
    domains = [p.domain for p in instance.network.parameters]
    if any(d.size is None or d.size > 4096 for d in domains):
        return 3
    return 4 if any(a.kind == "polynomial" and a.degree > 1 for a in activations) else 5


def engines(instance: Instance) -> list[str]:
    """Those of ermbit that can state an instance, in the order of its race."""
    return [entrant.name for entrant in make_plan(Problem(instance), "decide").entrants]


class _Session:
    """What all jobs share: the instances that are left, the file, and the faults."""

    def __init__(
        self, solvers: Sequence[Solver], settings: runs.Settings, end: float, out: Path
    ) -> None:
        self.faults: list[str] = []
        self._solvers = solvers
        self._settings = settings
        self._end = end
        self._out = out
        self._known = open_runs.read(out)
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def perform(self, chosen: Sequence[Candidate], scratch: Path) -> None:
        """Try them all, as many side by side as there are jobs."""
        work = deque(chosen)
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        with Guard(scratch) as guard:
            workers = [
                threading.Thread(target=self._work, args=(work, share, guard, ended), daemon=True)
                for share in self._settings.shares()
            ]
            try:
                for worker in workers:
                    worker.start()
                for _ in workers:
                    error = ended.get()
                    if error is not None:
                        raise error
            finally:
                self._stop.set()
                for worker in workers:
                    worker.join(runs.STOPPING)

    def _work(
        self,
        work: deque[Candidate],
        share: tuple[int, ...],
        guard: Guard,
        ended: queue.SimpleQueue[BaseException | None],
    ) -> None:
        try:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, share)  # of this thread, and of all that it starts
            limits = Limits(self._settings.timeout, self._settings.memory, share)
            while work and not self._stop.is_set():
                try:
                    candidate = work.popleft()
                except IndexError:
                    break
                self._try(candidate, limits, guard)
            ended.put(None)
        except BaseException as error:
            ended.put(error)

    def _turns(self, candidate: Candidate) -> Iterator[Solver]:
        """All solvers; then, when its own row is there, each engine of ermbit alone."""
        yield from self._solvers
        if any(solver.name == open_runs.OURS for solver in self._solvers):
            question = candidate.instance.sha256
            past = [r for r in self._known if (r.question, r.solver) == (question, open_runs.OURS)]
            yield from map(_ours, past[-1].each_engine if past else ())

    def _try(self, candidate: Candidate, limits: Limits, guard: Guard) -> None:
        """All solvers in turn, until one has the answer."""
        for solver in self._turns(candidate):
            past = [r for r in self._known if r.question == candidate.instance.sha256]
            if candidate.status == "unknown" and any(run.is_answer for run in past):
                return
            if any(r.solver == solver.name and _is_final(r, limits.timeout) for r in past):
                continue
            late = time.monotonic() + limits.timeout > self._end
            if late or self._stop.is_set():
                return
            version = solver.version()
            made = runs.attempt(
                candidate.case, solver, limits, self._settings.seed, self._stop, guard
            )
            if made is None:
                return
            self._take(candidate, solver.name, version, limits, *made)

    def _take(
        self,
        candidate: Candidate,
        solver: str,
        version: str,
        limits: Limits,
        reply: Reply,
        checked: Checked,
    ) -> None:
        """Store what came out."""
        status = reply.status
        if checked.verdict == "rejected":
            status = "wrong"
        elif status == "sat" and checked.verdict != "accepted":
            status = "unknown"
        to_come: list[str] = []
        if solver == open_runs.OURS and status in open_runs.UNSOLVED:
            to_come = engines(candidate.instance)
        run = Run(
            candidate.name,
            candidate.instance.sha256,
            solver,
            version,
            limits.timeout,
            limits.memory,
            len(limits.cores),
            status,
            round(reply.seconds, 2),
            checked.loss,
            reply.bound,
            (checked.why or reply.note)[:200],
            " ".join(to_come),
        )
        with self._lock:
            if status == "wrong" or (run.is_answer and candidate.status not in (status, "unknown")):
                self.faults.append(f"{run.solver} on {run.instance}: {run.status}, {run.note}")
            elif run.is_answer and candidate.status == "unknown":
                self._answer(candidate, run, reply)
            open_runs.append(run, self._out)
            self._known.append(run)
        seconds = f"{run.seconds:8.1f} s"
        print(f"{run.instance:44} {run.solver:18} {run.status:11} {seconds}  {run.note[:60]}",
              flush=True)  # fmt: skip

    def _answer(self, candidate: Candidate, run: Run, reply: Reply) -> None:
        """Into ``answers.json``, before its row; not if a peer alone says unsat."""
        ours = is_ours(run.solver)
        if self._out != open_runs.PATH or (run.status == "unsat" and not ours):
            return
        who = reply.note if ours else f"{generated.PEER}{run.solver} {run.version}"
        parameters = dict(reply.parameters or {}) if run.status == "sat" else None
        loss = run.loss if run.status == "sat" else None
        found = answers.Answer(run.question, run.status, who, run.seconds, _plain(parameters), loss)
        answers.store(run.instance, found)


def _is_final(run: Run, timeout: float) -> bool:
    """Whether to try again would be in vain; crashes and shorter tries are repeated."""
    if run.status == "failed":
        return False
    return run.is_answer or run.status in ("unsupported", "wrong") or run.limit >= timeout


def _plain(value: object) -> object:
    """Parameters with numbers as JSON has them; decimals as text."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, int | str) else str(value)


def _list(chosen: Sequence[Candidate], out: Path) -> int:
    """What the file says of each of them, and how many stand where."""
    known = open_runs.read(out)
    kinds: Counter[str] = Counter()
    for candidate in chosen:
        at = standing(candidate.name, candidate.instance.sha256, known)
        kinds[at.kind] += 1
        print(f"{candidate.name:44} {candidate.status:8} {at.kind:10} {at.tried_by}")
    print(", ".join(f"{number} {kind}" for kind, number in kinds.most_common()))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ErmbitError as error:
        sys.exit(f"measure_open.py: {error}")
