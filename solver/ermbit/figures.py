"""The look that all figures share: colours, marks, fonts."""

from __future__ import annotations

import logging

# Okabe & Ito's palette: distinct for all common kinds of colour blindness; markers differ as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DOTS_PER_INCH = 150
STYLE = {
    "svg.fonttype": "path",  # looks the same wherever it is shown, whatever fonts are there
    "svg.hashsalt": "ermbit",  # equal data make equal bytes
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def quiet() -> None:
    """Keep matplotlib's log (that it builds its cache of fonts) from users of a command."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
