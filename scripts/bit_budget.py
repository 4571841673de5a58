#!/usr/bin/env python3
"""Bit-budget curves: the exact least loss of a network against the bits of its weights.

    python scripts/bit_budget.py [--study NAME] [--timeout SECONDS] [--out FOLDER] [--resume]

Each study is a data set and a network; each point is `ermbit.minimize` over one set of weight
values. A point is `optimal` where the least loss is proved, else it has proved bounds. Sets that
contain each other share bounds: the least loss over a set is at most that over its subsets, and at
least that over its supersets. Writes bit-budget.csv (whole, after every point) and, at the end,
bit-budget.svg, and prints the table of docs/bit-budget.md. With ``--resume`` the points that the
folder's bit-budget.csv has are kept, so it may be stopped at any time.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import log2
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

from gmpy2 import mpq  # noqa: E402

import ermbit  # noqa: E402
from ermbit.figures import COLOURS, DOTS_PER_INCH, MARKERS, STYLE, quiet  # noqa: E402
from ermbit.processes.target import INTERRUPTED  # noqa: E402
from ermbit_instances.domain import Domain, RealDomain  # noqa: E402
from ermbit_instances.families import generate  # noqa: E402
from ermbit_instances.families.domain_text import domain_document, domain_of  # noqa: E402
from ermbit_instances.files import write_text  # noqa: E402
from ermbit_instances.instance import parse_instance  # noqa: E402
from ermbit_instances.rational import Rational, write_rational  # noqa: E402

COLUMNS = (
    "study", "format", "domain", "values", "bits", "parameters", "samples", "status",
    "least_loss_from", "least_loss_to", "found_by", "search_status", "timeout_s",
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A set of weight values: its name, the line that it is drawn in, the notation of families."""

    name: str
    line: str
    text: str

    @property
    def domain(self) -> Domain:
        return domain_of(domain_document(self.text))

    @property
    def bits(self) -> float | None:
        """log2 of the number of values; None for the reals."""
        return None if self.domain.size is None else log2(self.domain.size)

    def contains(self, other: Format) -> bool:
        """Whether all values of the other set are in this one; exact."""
        mine, theirs = self.domain, other.domain
        if isinstance(mine, RealDomain):
            return True
        return theirs.size is not None and all(value in mine for value in theirs.values())


def _powers(lowest: int, highest: int) -> str:
    """0 and ±2^lowest, …, ±2^highest."""
    powers = [mpq(2) ** e for e in range(lowest, highest + 1)]
    return "finite:" + ",".join(str(v) for v in (*(-p for p in powers), 0, *powers))


FORMATS = (
    Format("ternary", "ternary", "ternary"),
    # k / 2^(K-2) in [-2, 2): more bits are a finer grid of the same range.
    *(Format(f"int{k}", "integer grid on [-2, 2)", f"fixed:{k}:{k - 2}") for k in range(2, 9)),
    Format("pow2-3", "powers of two", _powers(-2, 0)),
    Format("pow2-4", "powers of two", _powers(-5, 1)),
    Format("rational:2", "rationals", "rational:2"),
    Format("rational:3", "rationals", "rational:3"),
    Format("fp8_e4m3", "fp8", "fp8_e4m3"),
    Format("real", "real", "real"),
)


@dataclass(frozen=True)
class Study:
    """A data set with a network: a family with its parameters, and what stands above the curve."""

    name: str
    title: str
    family: str
    parameters: dict[str, Any] = field(hash=False)

    def document(self) -> dict[str, Any]:
        """The instance, over whatever weights its family has."""
        return generate(self.family, 1, **self.parameters).document


STUDIES = (
    Study(
        "iris",
        "irises: versicolor against virginica, petals\none linear unit, share of errors",
        "real_data",
        {"classes": "versicolor-vs-virginica", "features": "petal_length,petal_width"},
    ),
    Study(
        "teacher",
        "12 points labelled by two ReLUs with weights k/8\ntwo ReLUs, mean absolute error",
        "teacher",
        {"hidden": "2", "bias": "no", "domain": "int:-15:15:8", "samples": 12, "data_low": -4,
         "data_high": 4},
    ),
    Study(
        "wine",
        "wines: classes 0 and 1, proline and alcohol\none linear unit, mean hinge loss",
        "real_data",
        {"dataset": "wine", "classes": "class_0-vs-class_1", "levels": 8, "loss": "hinge"},
    ),
    Study(
        "wine-relu",
        "20 wines: classes 1 and 2, malic acid and ash\ntwo ReLUs, mean hinge loss",
        "real_data",
        {"dataset": "wine", "classes": "class_1-vs-class_2", "features": "malic_acid,ash",
         "levels": 8, "loss": "hinge", "hidden": "2", "per_class": 10},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """The least loss over one set of values: proved to be in ``low`` .. ``high``."""

    study: Study
    format: Format
    parameters: int
    samples: int
    low: Rational
    high: Rational | None
    engine: str
    search: str
    timeout: float

    @property
    def status(self) -> str:
        return "optimal" if self.low == self.high else "bounds"

    def row(self) -> list[Any]:
        """By :data:`COLUMNS`."""
        size, bits = self.format.domain.size, self.format.bits
        return [
            self.study.name,
            self.format.name,
            self.format.text,
            "" if size is None else size,
            "" if bits is None else f"{bits:.2f}",
            self.parameters,
            self.samples,
            self.status,
            write_rational(self.low),
            "" if self.high is None else write_rational(self.high),
            self.engine,
            self.search,
            f"{self.timeout:g}",
        ]


def measure(study: Study, form: Format, timeout: float) -> Point:
    """One point, by `ermbit.minimize`.

    Raises:
        KeyboardInterrupt: the search was interrupted; what it has found by then is no point.
    """
    document = {**study.document(), "weights": domain_document(form.text)}
    instance = parse_instance(document)
    answer = ermbit.minimize(instance, timeout=timeout)
    if answer.reason == INTERRUPTED:
        raise KeyboardInterrupt
    low = mpq(0) if answer.lower_bound is None else answer.lower_bound
    # Algebraic numbers do not occur here: every study is piecewise linear (docs/theory.md).
    assert isinstance(low, mpq) and (answer.loss is None or isinstance(answer.loss, mpq))
    return Point(
        study, form, instance.network.parameter_count, len(instance.data), low, answer.loss,
        answer.engine or "", answer.status, timeout,
    )  # fmt: skip


def read(path: Path) -> list[Point]:
    """The points of a bit-budget.csv."""
    studies = {study.name: study for study in STUDIES}
    formats = {form.name: form for form in FORMATS}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Point(
                studies[row["study"]], formats[row["format"]], int(row["parameters"]),
                int(row["samples"]), mpq(row["least_loss_from"]),
                mpq(row["least_loss_to"]) if row["least_loss_to"] else None,
                row["found_by"], row["search_status"], float(row["timeout_s"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def write(points: Sequence[Point], path: Path) -> None:
    """A bit-budget.csv, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(point.row() for point in points)
    write_text(path, text.getvalue())


def by_inclusion(points: Sequence[Point]) -> list[Point]:
    """Bounds of subsets and supersets of values carried over, within one study."""
    result = []
    for point in points:
        peers = [other for other in points if other.study == point.study]
        lows = [p.low for p in peers if p.format.contains(point.format)]
        highs = [p.high for p in peers if p.high is not None and point.format.contains(p.format)]
        result.append(replace(point, low=max(lows), high=min(highs, default=None)))
    return result


def markdown(points: Sequence[Point]) -> str:
    """A row a format, a column a study; intervals where the minimum is not proved."""
    studies = list(dict.fromkeys(point.study for point in points))
    lines = [
        "| weights | values | bits | " + " | ".join(study.name for study in studies) + " |",
        "|---|---|---|" + "---|" * len(studies),
    ]
    for form in FORMATS:
        of = {p.study.name: p for p in points if p.format == form}
        if of:
            size, bits = form.domain.size, form.bits
            head = [form.name, "∞" if size is None else size, "" if bits is None else f"{bits:.1f}"]
            cells = [_cell(of.get(study.name)) for study in studies]
            lines.append("| " + " | ".join(str(c) for c in (*head, *cells)) + " |")
    return "\n".join(lines)


def _cell(point: Point | None) -> str:
    if point is None:
        return ""
    if point.status == "optimal":
        return f"{write_rational(point.low)} ({float(point.low):.4f})"
    high = "" if point.high is None else f"{float(point.high):.4f}"
    return f"{float(point.low):.4f} … {high}"


def draw(points: Sequence[Point], path: Path) -> None:
    """A panel a study: bits a weight against the least loss, bars where it is not proved."""
    quiet()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    studies = list(dict.fromkeys(point.study for point in points))
    lines = list(dict.fromkeys(form.line for form in FORMATS if form.line != "real"))
    with mpl.rc_context(STYLE):
        rows = (len(studies) + 1) // 2
        figure = Figure(figsize=(10, 3.6 * rows + 0.8), dpi=DOTS_PER_INCH, layout="constrained")
        panels = figure.subplots(rows, min(2, len(studies)), squeeze=False).flat
        handles: dict[str, Any] = {}
        for panel, study in zip(panels, studies, strict=False):
            _draw_study(panel, [p for p in points if p.study == study], lines, handles)
            panel.set_title(study.title)
        for panel in list(panels):
            panel.set_axis_off()
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_study(
    panel: Any, points: Sequence[Point], lines: Sequence[str], handles: dict[str, Any]
) -> None:
    for point in points:
        if point.format.line == "real" and point.high is not None:
            handles["real"] = panel.axhline(float(point.high), color="black", linestyle=":")
    for number, line in enumerate(lines):
        here = [p for p in points if p.format.line == line and p.high is not None]
        if not here:
            continue
        bits = [p.format.bits for p in here]
        heights = [float(p.high) for p in here]
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 5}
        (handles[line],) = panel.plot(bits, heights, linewidth=1.2, **style)
        open_ends = [p for p in here if p.status != "optimal"]
        if open_ends:
            handles["not proved: bounds"] = panel.vlines(
                [p.format.bits for p in open_ends],
                [float(p.low) for p in open_ends],
                [float(p.high) for p in open_ends],
                color="grey",
                linewidth=2.5,
                alpha=0.6,
            )
    panel.set_xlabel("bits a weight (log2 of the number of values)")
    panel.set_ylabel("least loss")
    panel.set_ylim(bottom=0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=[study.name for study in STUDIES], action="append")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="a point")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER")
    parser.add_argument("--resume", action="store_true", help="keep the points that are there")
    arguments = parser.parse_args()
    path = arguments.out / "bit-budget.csv"
    found: dict[tuple[Study, Format], Point] = {}
    if arguments.resume and path.exists():
        found = {(point.study, point.format): point for point in read(path)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    cells = list(product(STUDIES, FORMATS))
    for study, form in cells:
        if (study, form) in found or (arguments.study and study.name not in arguments.study):
            continue
        found[study, form] = measure(study, form, arguments.timeout)
        print(*found[study, form].row(), sep=",", file=sys.stderr, flush=True)
        write(by_inclusion([found[cell] for cell in cells if cell in found]), path)
    points = by_inclusion([found[cell] for cell in cells if cell in found])
    write(points, path)
    draw(points, arguments.out / "bit-budget.svg")
    print(markdown(points))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; with --resume it goes on")
