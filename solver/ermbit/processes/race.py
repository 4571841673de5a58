"""Several jobs, each in a process of its own: the first decisive result wins, the others stop.

The parent is one loop on one queue, in the thread that called `race`. It wakes when a child says
something, at the deadline, and, only where memory or ``should_stop`` must be polled, a few
times per second. Whatever happens (a winner, an exception in a callback, Ctrl-C, twice), every
child is stopped and reaped before `race` returns or raises.
"""

from __future__ import annotations

import logging
import math
import queue
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ermbit.processes import child as children
from ermbit.processes import limits, protocol
from ermbit.processes.child import Child
from ermbit.processes.interrupts import InterruptShield
from ermbit.processes.job import (
    Decides,
    Job,
    Listener,
    RaceResult,
    any_result_decides,
    check_options,
    child_deadline,
)
from ermbit.processes.lineup import Lineup
from ermbit.processes.target import INTERRUPTED, MEMORY, TIMEOUT, one_line, reason_of
from ermbit.processes.turns import Move, Schedule, Turns

__all__ = ["Job", "RaceResult", "race"]

_log = logging.getLogger("ermbit.processes")

_AT_ONCE = Schedule()
# Seconds between two looks at memory and should_stop; the longest wait otherwise.
_POLL = 0.1
_LONG = 3600.0
# Seconds for which events that had arrived are still handed on after the end.
_DRAIN = 0.5


def race(
    jobs: Sequence[Job],
    *,
    timeout: float | None = None,
    memory: int | None = None,
    threads: int = 1,
    slots: int = 1,
    schedule: Schedule = _AT_ONCE,
    decides: Decides = any_result_decides,
    on_event: Listener | None = None,
    on_result: Listener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RaceResult:
    """Run `jobs` in child processes until one of them decides.

    `timeout`: seconds of wall-clock time for the whole race. `memory`: MB for the whole race,
    divided evenly among the children that run; where the system allows it, those that remain get
    the shares of those that have ended. `threads`: how many children run at the same time; the
    others wait, and start in the order of `jobs`. `schedule`: before that the jobs take turns,
    `slots` of them at a time, where there are more jobs than slots (Linux; see
    `ermbit.processes.turns`); as many as `threads` rest meanwhile, and memory is divided among
    these and those that have a turn. `decides(name, result)`: whether this result
    ends the race. `on_event`, `on_result` (before `decides`) and `should_stop` (several times per
    second) are called in the calling thread; what they raise is raised again after every child
    was stopped, except KeyboardInterrupt, which ends the race like Ctrl-C.

    Returns a `RaceResult`; Ctrl-C and ``should_stop`` give one with ``interrupted``. Results
    that had arrived by then are still handled, and events for half a second. Raises ValueError
    for an option out of range or two jobs of the same name.
    """
    check_options(timeout=timeout, memory=memory, threads=threads)
    check_options(timeout=None, threads=slots)
    names = [job.name for job in jobs]
    if len(set(names)) < len(names):
        raise ValueError("two jobs of a race have the same name")
    turns = Turns(names, slots=min(slots, threads), places=threads, schedule=schedule)
    runner = _Race(jobs, timeout, memory, threads, turns, decides, on_event, on_result, should_stop)
    with runner.shield:
        return runner.run()


class _Race:
    def __init__(
        self,
        jobs: Sequence[Job],
        timeout: float | None,
        memory: int | None,
        threads: int,
        turns: Turns,
        decides: Decides,
        on_event: Listener | None,
        on_result: Listener | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.start = time.monotonic()
        self.deadline = math.inf if timeout is None else self.start + timeout
        self.threads = threads
        self.turns: Turns | None = turns
        self.decides = decides
        self.on_event = on_event
        self.on_result = on_result
        self.should_stop = should_stop
        self.inbox: children.Inbox = queue.SimpleQueue()
        self.shield = InterruptShield(wake=lambda: self.inbox.put(None))
        self.lineup = Lineup(
            jobs,
            memory=None if memory is None else memory * limits.MEGABYTE,
            inbox=self.inbox,
            deadline=child_deadline(self.start, timeout),
        )
        self.finished: dict[str, Any] = {}
        self.failures: dict[str, str] = {}
        self.winner: str | None = None
        self.interrupted = False
        self.next_poll = self.start

    def run(self) -> RaceResult:
        unfinished = ""
        try:
            try:
                self.lineup.prepare(self._places)
                unfinished = self._loop()
            except KeyboardInterrupt:
                unfinished = INTERRUPTED
            if unfinished:
                try:
                    self._drain()
                except KeyboardInterrupt:
                    unfinished = INTERRUPTED
        finally:
            remaining = [child.name for child in self.lineup.running]
            try:
                children.stop(self.lineup.running)
            finally:
                self.lineup.close()
        pending = self.shield.pending
        if pending is not None and not isinstance(pending, KeyboardInterrupt):
            raise pending
        if unfinished and self.winner is None:
            for name in (*remaining, *(job.name for job in self.lineup.waiting)):
                self.failures[name] = unfinished
        return RaceResult(
            winner=self.winner,
            result=None if self.winner is None else self.finished[self.winner],
            finished=self.finished,
            failures=self.failures,
            interrupted=unfinished == INTERRUPTED or pending is not None,
            elapsed=time.monotonic() - self.start,
        )

    def _loop(self) -> str:
        """Run until the race is over; the reason why the rest has not finished, or ``""``."""
        while self.winner is None:
            if self.shield.pending is not None:
                return INTERRUPTED
            now = time.monotonic()
            if now >= self.deadline:
                return TIMEOUT
            if now >= self.next_poll:
                if self.should_stop is not None and self.shield.call(self.should_stop):
                    return INTERRUPTED
                self._look_at_memory()
                self._bury()
                self.next_poll = time.monotonic() + _POLL
            self._start_waiting()
            if self.winner is not None:
                break
            if not self.lineup.running:
                if self.lineup.waiting:
                    continue  # none could be started; each try removes one
                break
            try:
                message = self.inbox.get(timeout=self._patience())
            except queue.Empty:
                continue
            if message is not None:
                self._handle(*message)
        return ""

    def _patience(self) -> float:
        """Seconds until the loop has something to do without a message."""
        until = min(self.deadline, time.monotonic() + _LONG)
        polled = (self.lineup.memory, self.should_stop, self.turns) != (None, None, None)
        # On Windows a signal does not end a wait, so waits are short there.
        if polled or sys.platform == "win32" or any(child.exited for child in self.lineup.running):
            until = min(until, self.next_poll)
        return max(0.0, until - time.monotonic())

    def _start_waiting(self) -> None:
        if self.turns is not None:
            deadline = self.lineup.deadline
            late = deadline is not None and time.monotonic() >= deadline
            if not late and self._take_turns(self.turns):
                return
            self.turns = None
            for child in self.lineup.running:
                child.resume()
            if late:
                return  # they hand over what they have
            # A job before them may wait: it was short of memory in its turn.
            for child in self.lineup.beyond(self.threads):
                self._put_back(child)
            if self.winner is not None:
                return
        self.lineup.raise_limits(self._places)
        while self.lineup.waiting and len(self.lineup.running) < self.threads:
            self._start(self.lineup.waiting[0].name)

    def _take_turns(self, turns: Turns) -> bool:
        """Do what there is to do now; False once there are no more turns."""
        while self.winner is None:
            running = {child.name: child for child in self.lineup.running}
            move, name = turns.move(running, {job.name for job in self.lineup.waiting})
            if move is Move.START:
                self._start(name)
            elif move is Move.RESUME:
                running[name].resume()
            elif move is Move.REST:
                running[name].rest()
            elif move is Move.PUT_BACK:
                self._put_back(running[name])
            else:
                return move is Move.WAIT
        return True

    @property
    def _places(self) -> int:
        """How many children may live at the same time."""
        return self.threads + (0 if self.turns is None else self.turns.slots)

    def _start(self, name: str) -> None:
        failure = self.lineup.start(name, self._places)
        if failure is not None:
            self.failures[name] = failure

    def _put_back(self, child: Child) -> None:
        """End a child, and let its job wait again, unless its last word has just arrived."""
        for _ in range(self.inbox.qsize()):
            message = self.inbox.get()
            if message is not None:
                self._handle(*message)
        if child in self.lineup.running:
            self.lineup.remove(child)
            self.lineup.wait_again(child.name)

    def _handle(self, child: Child, kind: bytes, body: bytearray) -> None:
        if child not in self.lineup.running:
            return  # a last word of one that was stopped
        if kind == children.CLOSED:
            child.closed = True
        elif kind == children.EXITED:
            child.exited = True
            child.kill_strays()  # they could keep the pipe open
            child.hear_last_words()
        elif kind == protocol.FAILURE:
            self._fail(child, body.decode("utf-8", "replace"))
            return
        else:
            self._listen(child, kind, body)
        if child.exited and child.closed and child in self.lineup.running:
            self._fail(child, None)

    def _listen(self, child: Child, kind: bytes, body: bytearray) -> None:
        try:
            value = protocol.decode(body)
        except Exception as error:
            self._fail(child, one_line(f"sent what cannot be read: {reason_of(error)}"))
            return
        if kind == protocol.RESULT:
            self.finished[child.name] = value
            self.lineup.remove(child)
            if self.on_result is not None:
                self.shield.call(self.on_result, child.name, value)
            if self.shield.call(self.decides, child.name, value) and self.winner is None:
                self.winner = child.name
        else:
            if self.on_event is not None:
                self.shield.call(self.on_event, child.name, value)
            child.taken()

    def _fail(self, child: Child, reason: str | None) -> None:
        """Enter a failure; without a reason, that which the end of the process gives.

        Memory that was short while jobs took turns is no failure: later there is more for each.
        """
        self.lineup.remove(child)
        reason = child.crash_reason() if reason is None else reason
        if reason == MEMORY and self.lineup.memory is not None and self.turns is not None:
            self.lineup.wait_again(child.name)
            return
        self.failures[child.name] = reason
        _log.debug("%s: %s\n%s", child.name, self.failures[child.name], child.error_tail())

    def _look_at_memory(self) -> None:
        if self.lineup.memory is not None:
            for child in list(self.lineup.running):
                if not child.measure():
                    self._fail(child, MEMORY)

    def _bury(self) -> None:
        """Give up on workers that have ended while something still holds their pipe."""
        for child in list(self.lineup.running):
            silent = time.monotonic() >= child.last_words and self.inbox.empty()
            if child.exited and silent:
                self._fail(child, None)

    def _drain(self) -> None:
        """Handle what has arrived, so that the best known at the end is not lost.

        Events are heard for _DRAIN seconds at most, results in any case.
        """
        until = time.monotonic() + _DRAIN
        for _ in range(self.inbox.qsize()):
            message = self.inbox.get()
            if message is not None:
                if message[1] != protocol.EVENT or time.monotonic() < until:
                    self._handle(*message)
