#!/usr/bin/env python3
"""How often random labels can be fitted, and how long the proof takes, by samples per parameter.

    python scripts/phase_transition.py [--case NAME] [--count K] [--timeout SECONDS] [--out FOLDER]
    python scripts/phase_transition.py --set hidden=3 domain=int:-2:2 --samples 2:24:2 --engine sat

Instances are those of the family `random_labels`, seeds 0 to K - 1; the question is loss <= 0. One
engine decides each in this process; the time is its processor time, the reading of the instance not
included. FOLDER gets three files:

    instances.csv          a row an instance, written as soon as it is decided; a run that finds the
                           file goes on where the last one ended
    phase-transition.csv   a row a point: how many are sat, unsat, unknown; median and longest time
    phase-transition.svg   both against samples per parameter
"""

from __future__ import annotations

import argparse
import csv
import io
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from math import comb
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

from ermbit.engines.engine import Budget, ignore  # noqa: E402
from ermbit.engines.registry import NAMES, engine  # noqa: E402
from ermbit.figures import COLOURS, MARKERS, STYLE, quiet  # noqa: E402
from ermbit.plan import make_plan  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.errors import ErmbitError  # noqa: E402
from ermbit_instances.families import generate  # noqa: E402
from ermbit_instances.instance import parse_instance  # noqa: E402

AUTO = "auto"


@dataclass(frozen=True)
class Line:
    """One size of a network: settings of `random_labels` and the numbers of samples."""

    case: str
    size: str
    settings: str
    samples: tuple[int, ...]
    engine: str = AUTO
    dimension: int = 0
    """Of a real halfspace through the origin, for Cover's probability; 0 for other networks."""


@dataclass(frozen=True)
class Row:
    """One decided instance; `seconds` of processor time within `timeout` of the clock."""

    case: str
    size: str
    settings: str
    parameters: int
    samples: int
    seed: int
    engine: str
    timeout: float
    status: str
    seconds: float


@dataclass(frozen=True)
class Point:
    """What is known of one number of samples; `share` is that of sat among the decided."""

    case: str
    size: str
    parameters: int
    samples: int
    ratio: float
    sat: int
    unsat: int
    unknown: int
    share: float | None
    median_seconds: float
    longest_seconds: float
    theory: float | None


WIDE = "data_low=-1000 data_high=1000"


def grid(parameters: int, ratios: Iterable[float]) -> tuple[int, ...]:
    """Numbers of samples nearest to the given multiples of the parameters, at least 1."""
    return tuple(dict.fromkeys(max(1, round(ratio * parameters)) for ratio in ratios))


def lines() -> list[Line]:
    """What is measured without `--set`."""
    found = []
    for d in (5, 10, 20):
        samples = grid(d, (0.8, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.4, 2.6, 3, 3.6))
        settings = f"inputs={d} hidden=none bias=no domain=real {WIDE}"
        found.append(Line("real halfspace", f"d = {d}", settings, samples, "hitting_sets", d))
    for d in (9, 13, 17):
        samples = grid(d, (0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.7, 2))
        settings = f"inputs={d} hidden=none bias=no domain=bipolar {WIDE}"
        found.append(Line("halfspace with weights ±1", f"d = {d}", settings, samples, "tables"))
    for d, p in ((2, 9), (3, 11), (4, 13)):
        samples = grid(p, (0.2, 0.35, 0.5, 0.65, 0.8, 1, 1.25, 1.6))
        settings = f"inputs={d} hidden=2 domain=ternary data_low=-9 data_high=9"
        size = f"{d} inputs, P = {p}"
        found.append(Line("two relu units with weights −1, 0, 1", size, settings, samples, "sat"))
    return found


def cover(samples: int, dimension: int) -> float:
    """Probability that random labels of points in general position are a halfspace's (Cover 1965).

    The halfspace's border contains the origin.
    """
    return float(sum(comb(samples - 1, k) for k in range(dimension)) / 2 ** (samples - 1))


# --- instances -----------------------------------------------------------------------------------


def problem_of(line: Line, samples: int, seed: int) -> Problem:
    """The instance of a line; ErmbitError where its settings are not legal."""
    settings = dict(part.split("=", 1) for part in line.settings.split())
    document = generate("random_labels", seed, samples=samples, **settings).document
    return Problem(parse_instance(document))


def decided(line: Line, samples: int, seed: int, timeout: float) -> Row:
    """Decide one instance."""
    problem = problem_of(line, samples, seed)
    name = line.engine
    if name == AUTO:
        entrants = make_plan(problem, "decide").entrants
        name = next((e.name for e in entrants if e.capability.complete), entrants[0].name)
    start = time.process_time()
    outcome = engine(name).decide(problem, Budget(time.monotonic() + timeout), ignore)
    seconds = round(time.process_time() - start, 6)
    count = problem.instance.network.parameter_count
    return Row(
        line.case, line.size, line.settings, count, samples, seed, name, timeout, outcome.status,
        seconds,
    )  # fmt: skip


def read_rows(path: Path) -> list[Row]:
    """The rows of a file; a last line that was not written to its end is left out."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    kinds = {"parameters": int, "samples": int, "seed": int, "timeout": float, "seconds": float}
    return [
        Row(**{name: kinds.get(name, str)(value) for name, value in record.items()})
        for record in csv.DictReader(io.StringIO(whole))
    ]


def run(plan: Sequence[Line], count: int, timeout: float, path: Path) -> Iterator[Row]:
    """All instances, those of the file first; each new one is appended to the file at once.

    An unknown row is tried again if there is more time now.
    """
    known: dict[tuple[str, int, int], Row] = {}
    for row in read_rows(path):
        if row.status != "unknown" or row.timeout >= timeout:
            known[row.settings, row.samples, row.seed] = row
    for line in plan:
        warm = False
        for samples in line.samples:
            for seed in range(count):
                key = (line.settings, samples, seed)
                if key not in known:
                    if not warm:  # whatever is imported or compiled on first use
                        decided(line, min(line.samples), count, timeout)
                        warm = True
                    known[key] = decided(line, samples, seed, timeout)
                    append(path, known[key])
                yield known[key]


def append(path: Path, row: Row) -> None:
    """Add a row to a file, and the names of the columns to an empty one."""
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(asdict(row))


# --- points --------------------------------------------------------------------------------------


def points(plan: Sequence[Line], rows: Iterable[Row]) -> list[Point]:
    """One point a line and number of samples."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.settings, row.samples), []).append(row)
    found = []
    for line in plan:
        for samples in line.samples:
            group = groups.get((line.settings, samples), [])
            if not group:
                continue
            sat, unsat = (sum(row.status == status for row in group) for status in ("sat", "unsat"))
            seconds = [row.seconds for row in group]
            found.append(
                Point(
                    line.case,
                    line.size,
                    group[0].parameters,
                    samples,
                    round(samples / max(1, group[0].parameters), 4),
                    sat,
                    unsat,
                    len(group) - sat - unsat,
                    round(sat / (sat + unsat), 4) if sat + unsat else None,
                    round(statistics.median(seconds), 6),
                    max(seconds),
                    round(cover(samples, line.dimension), 4) if line.dimension else None,
                )
            )
    return found


def table(found: Sequence[Point]) -> str:
    """The points as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Point)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in asdict(p).items()} for p in found)
    return text.getvalue()


def draw(found: Sequence[Point], count: int) -> bytes:
    """The figure as SVG: a row a case, shares on the left, times on the right."""
    quiet()
    from matplotlib import style
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(point.case for point in found))
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(10, 3.1 * len(cases)), layout="constrained")
        for (left, right), case in zip(figure.subplots(len(cases), 2, squeeze=False), cases,
                                       strict=True):  # fmt: skip
            sizes = list(dict.fromkeys(p.size for p in found if p.case == case))
            for number, size in enumerate(sizes):
                of = [p for p in found if (p.case, p.size) == (case, size)]
                look: dict[str, Any] = {
                    "color": COLOURS[number % len(COLOURS)],
                    "marker": MARKERS[number % len(MARKERS)],
                    "ms": 4,
                    "lw": 1.3,
                }
                decided_ones = [p for p in of if p.share is not None]
                with_theory = bool(decided_ones) and decided_ones[0].theory is not None
                left.plot(
                    [p.ratio for p in decided_ones],
                    [p.share for p in decided_ones],
                    label=size,
                    **(look | ({"ls": "none"} if with_theory else {})),
                )
                if with_theory:
                    theory = [p.theory for p in decided_ones]
                    left.plot([p.ratio for p in decided_ones], theory, color=look["color"], lw=1.1)
                right.plot([p.ratio for p in of], [p.median_seconds for p in of], **look)
            left.set_title(case + (" (lines: Cover 1965)" if with_theory else ""))
            left.set_ylabel("share of sat")
            left.set_ylim(-0.04, 1.04)
            left.legend(frameon=False, fontsize=8.5)
            right.set_title("median processor time, seconds")
            right.set_yscale("log")
            for axes in (left, right):
                axes.set_xlabel("samples per parameter")
                axes.grid(True, color="#dddddd", linewidth=0.6)
                axes.set_axisbelow(True)
        figure.suptitle(f"Random labels, {count} instances a point", fontsize=11)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()


# --- the command line ----------------------------------------------------------------------------


def numbers(text: str) -> tuple[int, ...]:
    """LOW:HIGH[:STEP] as numbers of samples; ValueError for another text."""
    low, high, *step = map(int, text.split(":"))
    found = tuple(range(low, high + 1, *step))
    if not found or low < 1 or len(step) > 1:
        raise ValueError(text)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Decide what is missing, then write table and figure; 0, or 2 for a request without sense."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--count", type=int, default=20, help="instances a point (20)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds an instance (10)")
    parser.add_argument("--out", type=Path, default=Path("phase-transition"), help="folder")
    parser.add_argument("--set", nargs="+", metavar="NAME=VALUE", help="settings of random_labels")
    parser.add_argument("--samples", type=numbers, default="2:20:2", help="LOW:HIGH[:STEP]")
    parser.add_argument("--engine", choices=(AUTO, *NAMES), help="another engine")
    chosen = parser.parse_args(arguments)
    plan = [line for line in lines() if chosen.case in line.case]
    if chosen.set:
        settings = " ".join(chosen.set)
        plan = [Line("random labels", settings, settings, chosen.samples)]
    if chosen.engine:
        plan = [Line(**{**asdict(line), "engine": chosen.engine}) for line in plan]
    if not plan or chosen.count < 1 or not all("=" in part for part in chosen.set or ()):
        parser.error("no case of this name, no instances, or a setting without =")
    chosen.out.mkdir(parents=True, exist_ok=True)
    rows = []
    try:
        for row in run(plan, chosen.count, chosen.timeout, chosen.out / "instances.csv"):
            rows.append(row)
    except ErmbitError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("interrupted: the next run goes on from here", file=sys.stderr)
    found = points(plan, rows)
    (chosen.out / "phase-transition.csv").write_text(table(found), encoding="utf-8")
    if found:
        (chosen.out / "phase-transition.svg").write_bytes(draw(found, chosen.count))
    print(table(found), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
