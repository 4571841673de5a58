"""Checks of z3 whose time is the processor's, not the clock's."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
import z3

from ermbit.engines.patient_check import patient_check


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
