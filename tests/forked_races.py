"""A plugin of pytest: the process counts as the program, and tells how many workers it forked."""

from __future__ import annotations

import pytest

from ermbit.processes import nursery, program

_taken: list[int] = []
_take = nursery.Nursery.take


def _count(self: nursery.Nursery) -> nursery.Forked | None:
    forked = _take(self)
    if forked is not None:
        _taken.append(forked.pid)
    return forked


def pytest_configure(config: pytest.Config) -> None:
    program.declare()
    nursery.Nursery.take = _count  # type: ignore[method-assign]


def pytest_unconfigure(config: pytest.Config) -> None:
    print(f"\n{len(_taken)} forked workers")
