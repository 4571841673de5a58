"""The steps of a search on standard error: a live line on a terminal, log lines if asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ermbit.answer import brief
from ermbit.cli.output import one_line
from ermbit.progress import Listener, Progress, silent


@contextmanager
def shown(*, live: bool, verbose: bool) -> Iterator[Listener]:
    """A listener for a search, for the time of the context.

    Args:
        live: show incumbent and bound on one line if standard error is a terminal.
        verbose: log every step as a line of its own instead.
    """
    if verbose:
        yield _log
    elif live and sys.stderr is not None and sys.stderr.isatty():
        line = _LiveLine()
        try:
            yield line.update
        finally:
            line.stop()
    else:
        yield silent


def _log(progress: Progress) -> None:
    words = [f"ermbit: {progress.time_s:9.3f} s", progress.engine, progress.step]
    if progress.loss is not None:
        words.append(f"loss {brief(progress.loss)}")
    if progress.lower_bound is not None:
        words.append(f"lower bound {brief(progress.lower_bound)}")
    if progress.text:
        words.append(progress.text)
    with suppress(OSError):  # nobody listens; the search goes on
        print(one_line(" ".join(word for word in words if word)), file=sys.stderr, flush=True)


class _LiveLine:
    """One line that shows the time, the best loss and the best bound, and goes at the end."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._latest: Progress | None = None
        self._live: Any = None

    def update(self, progress: Progress) -> None:
        if progress.lower_bound is None:
            return
        self._latest = progress
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(self, console=Console(stderr=True), transient=True)
            self._live.start()

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()

    def __rich__(self) -> Any:
        from rich.text import Text

        latest = self._latest
        parts = [f"{time.monotonic() - self._start:6.1f} s"]
        if latest is not None:
            loss = "none yet" if latest.loss is None else brief(latest.loss, 40)
            bound = "0" if latest.lower_bound is None else brief(latest.lower_bound, 40)
            parts += [f"best loss {loss}", f"lower bound {bound}", latest.engine]
        return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")
