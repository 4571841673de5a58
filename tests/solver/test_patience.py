"""Trials whose time is the processor's, not the clock's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import z3

from ermbit.engines.patience import patient_check, patiently
from ermbit.processes.load import Load


@dataclass
class Fake:
    """A solver that works so long (seconds of the processor) and then says what it is told."""

    answers: list[str]
    work: float = 0.0
    timeouts: list[int] = field(default_factory=list)

    def set(self, name: str, value: int) -> None:
        assert name == "timeout"
        self.timeouts.append(value)

    def check(self) -> str:
        end = time.process_time() + self.work
        while time.process_time() < end:
            pass
        return self.answers.pop(0)


class Steady(Load):
    """A machine on which nobody else works."""

    forgotten = 0

    def factor(self) -> float:
        return 1.0

    def forget(self) -> None:
        self.forgotten += 1


def work(end: float) -> None:
    """Until the end, and for a tenth of a second of the processor on however busy a machine."""
    begin = time.process_time()
    while time.monotonic() < end or time.process_time() - begin < 0.1:
        pass


def rest(end: float) -> None:
    time.sleep(max(0.0, end - time.monotonic()))


@dataclass
class Trials:
    """What each trial does until its end, and says then."""

    plan: list[tuple[Callable[[float], None], str]]
    ends: list[float] = field(default_factory=list)

    def __call__(self, end: float) -> str:
        self.ends.append(end)
        act, answer = self.plan.pop(0)
        act(end)
        return answer


def is_unknown(answer: str) -> bool:
    return answer == "unknown"


def test_a_trial_that_was_slept_through_is_made_again() -> None:
    load = Steady()
    trials = Trials([(rest, "unknown"), (rest, "sat")])
    assert patiently(trials, 0.1, None, load, is_unknown) == "sat"
    assert trials.ends[1] - trials.ends[0] >= 0.1
    assert load.forgotten == 1
    assert patiently(Trials([(rest, "unknown")] * 2), 0.1, None, load, is_unknown) == "unknown"


@pytest.mark.parametrize(
    "act, answer, cut",
    [
        (work, "unknown", None),
        (rest, "sat", None),
        (lambda end: None, "unknown", None),  # it gave up
        (rest, "unknown", 0.05),  # the deadline
    ],
)
def test_one_trial_is_enough(
    act: Callable[[float], None], answer: str, cut: float | None
) -> None:
    """A second one fails: there is nothing left to be done."""
    deadline = None if cut is None else time.monotonic() + cut
    trials = Trials([(act, answer)])
    load = Steady()
    assert patiently(trials, 0.1, deadline, load, is_unknown) == answer
    assert load.forgotten == 0
    assert deadline is None or trials.ends == [deadline]


def test_a_check_that_was_not_worked_on_is_made_again() -> None:
    solver = Fake(["unknown", "unsat"])
    assert patient_check(solver, 10_000) == "unsat"
    first, second = solver.timeouts
    assert first == 10_000
    assert 5_000 < second <= first


@pytest.mark.parametrize("answer", ["sat", "unsat"])
def test_an_answer_is_an_answer(answer: str) -> None:
    solver = Fake([answer])
    assert patient_check(solver, 10_000) == answer


def test_a_check_that_was_worked_on_is_not_made_again() -> None:
    solver = Fake(["unknown"], work=0.2)
    assert patient_check(solver, 200) == "unknown"
    assert patient_check(Fake(["unknown", "unknown"]), 200) == "unknown"  # twice is enough


def test_no_second_check_after_the_deadline() -> None:
    assert patient_check(Fake(["unknown"]), 10_000, time.monotonic()) == "unknown"
    again = Fake(["unknown", "sat"])
    assert patient_check(again, 10_000, time.monotonic() + 60) == "sat"


def test_a_real_solver() -> None:
    x = z3.Real("x")
    solver = z3.Solver()
    solver.add(x * x == 2)
    assert patient_check(solver, 60_000) == "sat"
    solver.add(x > 2)
    assert patient_check(solver, 60_000) == "unsat"
