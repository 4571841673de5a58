"""Calls in a process of its own, for a package that does not get on with others in one process."""

from __future__ import annotations

import importlib
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any


@cache
def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def called(module: str, name: str, *arguments: Any, **named: Any) -> Any:
    """What the function of this name says there; its module is not imported here."""
    return _process().submit(_call, module, name, *arguments, **named).result()


def _call(module: str, name: str, *arguments: Any, **named: Any) -> Any:
    return getattr(importlib.import_module(module), name)(*arguments, **named)
