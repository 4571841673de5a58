"""The table of engines. Adding one means adding its module and one row here."""

from __future__ import annotations

from importlib import import_module

from ermbit.engines.engine import Engine
from ermbit_instances.errors import UsageError

_ENGINES: dict[str, str] = {
    "exhaustive": "ermbit.engines.exhaustive:ExhaustiveEngine",
    "tables": "ermbit.engines.tables:TablesEngine",
    "deep_tables": "ermbit.engines.deep_tables:DeepTablesEngine",
    "two_layers": "ermbit.engines.two_layers:TwoLayersEngine",
    "halfspaces": "ermbit.engines.halfspaces:HalfspacesEngine",
    "hitting_sets": "ermbit.engines.hitting_sets:HittingSetsEngine",
    "cells": "ermbit.engines.cells:CellsEngine",
    "lifting": "ermbit.engines.lifting:LiftingEngine",
    "sat": "ermbit.engines.sat:SatEngine",
    "smt": "ermbit.engines.smt:SmtEngine",
    "nra": "ermbit.engines.nra:NraEngine",
    "coverings": "ermbit.engines.coverings:CoveringsEngine",
    "training": "ermbit.engines.training:TrainingEngine",
}

NAMES: tuple[str, ...] = tuple(_ENGINES)


def engine(name: str) -> Engine:
    """The engine of that name; its module is imported now, its solver only when it runs.

    Raises:
        UsageError: no such engine.
    """
    if name not in _ENGINES:
        raise UsageError(f"unknown engine {name!r}; known: auto, {', '.join(NAMES)}")
    module, _, cls = _ENGINES[name].partition(":")
    made: Engine = getattr(import_module(module), cls)()
    return made
