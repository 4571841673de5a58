"""A plugin of pytest: the run fails if no race in it forked a worker."""

from __future__ import annotations

import pytest

from ermbit.processes import nursery

_taken: list[int] = []
_take = nursery.Nursery.take


def _count(self: nursery.Nursery) -> nursery.Forked | None:
    forked = _take(self)
    if forked is not None:
        _taken.append(forked.pid)
    return forked


def pytest_configure(config: pytest.Config) -> None:
    nursery.Nursery.take = _count  # type: ignore[method-assign]


def pytest_sessionfinish(session: pytest.Session) -> None:
    print(f"\n{len(_taken)} forked workers")
    if not _taken and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
