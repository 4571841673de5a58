"""Ctrl-C and termination signals, turned into something that clean-up can rely on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_TERMINATE = ("SIGTERM", "SIGHUP")
_ALL = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _present(names: tuple[str, ...]) -> list[signal.Signals]:
    return [signal.Signals[name] for name in names if hasattr(signal, name)]


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Within the context, the first SIGTERM or SIGHUP raises KeyboardInterrupt, later ones nothing.

    So one path serves Ctrl-C and ``kill``. Handlers are restored at the end. Signals that are
    ignored (``nohup``) stay ignored. Outside the main thread, where Python cannot set
    handlers, the context does nothing.
    """
    fired = False

    def interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal fired
        if not fired:
            fired = True
            raise KeyboardInterrupt

    previous: dict[signal.Signals, Any] = {}
    try:
        if _in_main_thread():
            for number in _present(_TERMINATE):
                handler = signal.getsignal(number)
                if handler is not None and handler is not signal.SIG_IGN:
                    previous[number] = handler
                    signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class InterruptShield:
    """While entered, no signal handler raises except inside `call`.

    A KeyboardInterrupt between any two instructions would make it impossible to be sure that every
    child is known and stopped. So the handlers in place (Python's for Ctrl-C, that of
    `terminate_as_interrupt`, a program's own) are wrapped: the first exception that they raise is
    kept in `pending`, and `wake` is called. Inside `call` they act as usual, so that callers'
    callbacks can be interrupted. In other threads than the main one nothing is wrapped, since
    Python runs handlers in the main thread only.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.pending: BaseException | None = None
        self._wake = wake
        self._open = False
        self._previous: dict[signal.Signals, Any] = {}
        self._own: dict[signal.Signals, Any] = {}

    def __enter__(self) -> InterruptShield:
        if _in_main_thread():
            for number in _present(_ALL):
                handler = signal.getsignal(number)
                if callable(handler):  # SIG_IGN, SIG_DFL and foreign C handlers are left alone
                    self._previous[number] = handler
                    self._own[number] = self._wrap(handler)
                    signal.signal(number, self._own[number])
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            if signal.getsignal(number) is self._own[number]:  # else a callback replaced it
                signal.signal(number, handler)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call `function` with handlers free to raise, once, from within it."""
        try:
            self._open = True
            return function(*arguments)
        finally:
            self._open = False

    def _wrap(self, handler: Callable[[int, FrameType | None], Any]) -> Callable[..., None]:
        def wrapped(signum: int, frame: FrameType | None) -> None:
            if self._open:
                # Closed before the handler raises: the exception may skip the end of `call`.
                self._open = False
                handler(signum, frame)
                self._open = True
                return
            try:
                handler(signum, frame)
            except BaseException as error:  # SystemExit as well: some programs exit on SIGTERM so
                self.pending = self.pending or error
                self._wake()

        return wrapped
