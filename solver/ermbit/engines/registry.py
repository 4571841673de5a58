"""The table of engines. Adding one means adding its module and one row here."""

from __future__ import annotations

from importlib import import_module

from ermbit.engines.engine import Engine
from ermbit_instances.errors import UsageError

_ENGINES: dict[str, str] = {
    "exhaustive": "ermbit.engines.exhaustive.engine:ExhaustiveEngine",
    "tables": "ermbit.engines.tables.engine:TablesEngine",
    "deep_tables": "ermbit.engines.deep_tables.engine:DeepTablesEngine",
    "enclosures": "ermbit.engines.enclosures.engine:EnclosuresEngine",
    "two_layers": "ermbit.engines.two_layers.engine:TwoLayersEngine",
    "deep_fits": "ermbit.engines.deep_fits.engine:DeepFitsEngine",
    "halfspaces": "ermbit.engines.halfspaces.engine:HalfspacesEngine",
    "hitting_sets": "ermbit.engines.hitting_sets.engine:HittingSetsEngine",
    "cells": "ermbit.engines.cells.engine:CellsEngine",
    "dichotomies": "ermbit.engines.dichotomies.engine:DichotomiesEngine",
    "lifting": "ermbit.engines.lifting.engine:LiftingEngine",
    "elimination": "ermbit.engines.elimination.engine:EliminationEngine",
    "sat": "ermbit.engines.sat:SatEngine",
    "smt": "ermbit.engines.mixed.smt:SmtEngine",
    "nra": "ermbit.engines.mixed.nra:NraEngine",
    "coverings": "ermbit.engines.mixed.coverings:CoveringsEngine",
    "invariant": "ermbit.engines.invariant:InvariantEngine",
    "training": "ermbit.engines.training.engine:TrainingEngine",
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
