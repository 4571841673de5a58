"""Cactus and scatter plots of results, as SVG or PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from ermbit.bench.scores import BEST, CaseKey, Scores
from ermbit.figures import COLOURS, DOTS_PER_INCH, MARKERS, STYLE, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Form = Literal["svg", "png"]

_ANSWERS = (("sat",), ("unsat",), ("optimal", "infimum"), ("-",))
_ANSWER_NAMES = ("sat", "unsat", "optimal", "solved by none")


def figures(scores: Scores, forms: Sequence[Form]) -> dict[str, bytes]:
    """File name → content: the cactus plot, and a scatter plot of the first solver and each other.

    Solvers that are disqualified are not drawn.
    """
    quiet()
    shown = [solver for solver in scores.columns if solver not in scores.disqualified]
    files: dict[str, bytes] = {}
    for form in forms:
        if shown:
            files[f"cactus.{form}"] = cactus(scores, shown, form)
        for other in shown[1:]:
            stem = f"scatter-{_word(shown[0])}-{_word(other)}"
            files[f"{stem}.{form}"] = scatter(scores, shown[0], other, form)
    return files


def _word(solver: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", solver)


def solved_times(scores: Scores, solver: str) -> list[float]:
    """Seconds of the cases that a solver solved, shortest first: the curve of a cactus plot."""
    times = [row[solver] for case, row in scores.seconds.items() if solver in scores.solved[case]]
    return sorted(times)


def cactus(scores: Scores, solvers: Sequence[str], form: Form) -> bytes:
    """How many cases each solver solves within which time per case.

    Args:
        solvers: the curves, in the order of their colours.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]):
        figure = Figure(figsize=(7.0, 5.0), layout="constrained")
        axes: Axes = figure.subplots()
        for number, solver in enumerate(solvers):
            times = solved_times(scores, solver)
            line: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "lw": 1.4}
            line |= {"marker": MARKERS[number % len(MARKERS)], "ms": 3.5, "mfc": "white"}
            if solver == BEST:
                line = {"color": "#555555", "lw": 1.2, "ls": "--"}
            axes.plot(range(1, len(times) + 1), times, label=f"{solver} ({len(times)})", **line)
        limit = max(scores.limit.values())
        axes.axhline(limit, color="#999999", lw=0.8, ls=":")
        axes.set_yscale("log")
        axes.set_xlim(0, len(scores.families) + 1)
        _integers(axes)
        _seconds(axes.yaxis)
        axes.set_xlabel("cases solved, each solver's in the order of its time")
        axes.set_ylabel("seconds of one case")
        axes.set_title(f"Cases solved within a time, of {len(scores.families)}")
        axes.legend(frameon=False, fontsize=9)
        _grid(axes)
        return _rendered(figure, "Cases solved within a time", form)


def scatter(scores: Scores, first: str, second: str, form: Form) -> bytes:
    """Every case that both were run on, as a point: above the diagonal ``first`` is faster.

    What is not solved lies on the line of the limit.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    both = [c for c, row in scores.seconds.items() if first in row and second in row]
    limit = max(scores.limit.values())
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(5.6, 5.6), layout="constrained")
        axes: Axes = figure.subplots()
        low = limit
        for number, (answers, name) in enumerate(zip(_ANSWERS, _ANSWER_NAMES, strict=True)):
            members = [c for c in both if scores.answers.get(c, "-") in answers]
            if not members:
                continue
            x = [_shown(scores, c, first, limit) for c in members]
            y = [_shown(scores, c, second, limit) for c in members]
            low = min(low, *x, *y)
            colour = COLOURS[number % len(COLOURS)]
            dots: dict[str, Any] = {"marker": MARKERS[number], "color": colour, "mfc": "none"}
            axes.plot(x, y, ls="none", ms=5, label=f"{name} ({len(members)})", **dots)
        ends = (low * 0.7, limit * 1.6)
        axes.plot(ends, ends, color="#999999", lw=0.8)
        axes.axhline(limit, color="#999999", lw=0.8, ls=":")
        axes.axvline(limit, color="#999999", lw=0.8, ls=":")
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        _seconds(axes.xaxis, axes.yaxis)
        axes.set_xlabel(f"{first}, seconds")
        axes.set_ylabel(f"{second}, seconds")
        axes.set_title(f"{first} and {second} on {len(both)} cases")
        if both:
            axes.legend(frameon=False, fontsize=9, loc="lower right")
        _grid(axes)
        return _rendered(figure, f"Seconds of {first} and {second}", form)


def _shown(scores: Scores, case: CaseKey, solver: str, limit: float) -> float:
    return scores.seconds[case][solver] if solver in scores.solved[case] else limit


def _integers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _seconds(*lines: Axis) -> None:
    """Plain numbers on logarithmic axes; between powers of ten where there are few of those."""
    from matplotlib.ticker import FuncFormatter

    for line in lines:
        low, high = line.get_view_interval()
        line.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        short = high < 20 * low

        def between(value: float, _: int, short: bool = short) -> str:
            return f"{value:g}" if short and f"{value:e}"[0] in "235" else ""

        line.set_minor_formatter(FuncFormatter(between))


def _grid(axes: Axes) -> None:
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _rendered(figure: Figure, title: str, form: Form) -> bytes:
    file = BytesIO()
    if form == "png":
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    else:
        metadata = {"Title": title, "Creator": None, "Date": None}
        figure.savefig(file, format="svg", metadata=metadata)
    return file.getvalue()
