"""The shipped library: every file loads, every certificate holds, quick statuses are re-derived."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from ermbit.engines.engine import Budget, ignore
from ermbit.engines.registry import engine
from ermbit.verifier import verify
from ermbit_encodings.problem import Problem
from ermbit_instances.activation import NAMES as ACTIVATIONS
from ermbit_instances.families import families, generate
from ermbit_instances.instance import load
from ermbit_instances.loss import LOSSES, REDUCTIONS
from ermbit_instances.rational import parse_rational

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from library_sources import open_runs  # noqa: E402

LIBRARY = ROOT / "instances" / "library"
UNSOLVED = ("unknown", "timeout", "memout")
QUICK = 7.0
"""Instances whose enumeration costs at most 10^QUICK operations are decided again here."""

with (LIBRARY / "index.csv").open(newline="", encoding="utf-8") as _stream:
    ROWS = list(csv.DictReader(_stream))


def _ids(row: dict[str, str]) -> str:
    return row["name"]


def test_the_index_names_every_file_once() -> None:
    listed = [row["file"] for row in ROWS]
    assert len(listed) == len(set(listed)) >= 40
    assert sorted(listed) == sorted(p.name for p in LIBRARY.glob("*.erm.json"))
    certificates = [row["certificate"] for row in ROWS if row["certificate"]]
    assert sorted(certificates) == sorted(p.name for p in LIBRARY.glob("*.cert.json"))
    best = [row["best_certificate"] for row in ROWS if row["best_certificate"]]
    assert sorted(best) == sorted(p.name for p in LIBRARY.glob("*.best.json"))


def test_the_library_covers_the_format() -> None:
    instances = [load(LIBRARY / row["file"]) for row in ROWS]
    assert len({instance.sha256 for instance in instances}) == len(ROWS), "a question twice"
    activations = {y.activation.name for i in instances for y in i.network.layers}
    assert activations == set(ACTIVATIONS)
    assert {i.loss.name for i in instances} == set(LOSSES)
    assert {i.loss.reduction for i in instances} == set(REDUCTIONS)
    domains = {p.domain.canonical()["domain"] for i in instances for p in i.network.parameters}
    assert domains == {"integer", "fixed_point", "finite", "float", "rational", "real"}
    assert {i.network.spelling for i in instances} == {"layers", "neurons"}
    assert {row["status"] for row in ROWS} == {"sat", "unsat", "unknown"}
    assert all(row["how_known"] for row in ROWS)


def test_the_library_is_large_and_light() -> None:
    assert len(ROWS) >= 300
    assert len({row["family"] for row in ROWS}) >= 20
    size = sum(path.stat().st_size for path in LIBRARY.rglob("*") if path.is_file())
    assert size <= 20 * 2**20


def test_it_says_by_whom_a_status_is_known() -> None:
    for row in ROWS:
        kind, _, name = row["known_by"].partition(" ")
        assert kind in ("construction", "exhaustive", "engine", "peer", "open", "candidate")
        assert (kind in ("engine", "peer")) == bool(name), row["name"]
        # What a peer alone says is not known, unless it shows a certificate.
        is_known = kind not in ("open", "candidate") and (kind != "peer" or row["certificate"])
        assert bool(is_known) == (row["status"] != "unknown"), row["name"]
        if row["best_loss"] and row["best_bound"]:
            assert parse_rational(row["best_bound"]) <= parse_rational(row["best_loss"])


def test_open_is_what_the_long_runs_say() -> None:
    """Every solver has a row for this very question that says so, none has an answer."""
    measured = open_runs.read()
    for row in ROWS:
        if row["known_by"] in ("open", "candidate"):
            assert row["open"] == {"open": "yes"}.get(row["known_by"], "candidate"), row["name"]
        mine = [r for r in measured if r.instance == row["name"]]
        question = load(LIBRARY / row["file"]).sha256 if mine else ""
        mine = [r for r in mine if r.question == question]
        if not mine:
            assert row["open"] in ("", "candidate") and not row["tried_by"], row["name"]
            continue
        tried = {r.solver for r in mine if r.status in UNSOLVED and r.limit >= 600}
        idle = tried | {r.solver for r in mine if r.status == "unsupported"}
        answered = {r.status for r in mine if r.status in ("sat", "unsat")}
        if answered or row["known_by"].startswith(("engine", "peer")):
            # A solver may also have answered apart from these runs.
            expected = "no" if answered or idle else ""
        elif idle >= {"ermbit", "cpsat", "z3", "cvc5", "highs", *_engines(mine)}:
            expected = "yes"
        else:
            expected = "candidate"
        assert row["open"] == expected, row["name"]
        assert answered <= {row["status"]} or row["status"] == "unknown", row["name"]
        for run in mine:
            if run.solver in tried and expected == "yes":
                assert f"{run.solver} {run.version} " in row["tried_by"]


def _engines(runs: Sequence[open_runs.Run]) -> set[str]:
    """The engines that can state it, by the last run of ermbit as a whole."""
    whole = [run for run in runs if run.solver == "ermbit"]
    return {f"ermbit:{name}" for name in whole[-1].engines.split()} if whole else set()


def test_every_long_run_is_of_an_instance_that_is_there() -> None:
    names = {row["name"] for row in ROWS}
    assert {run.instance for run in open_runs.read()} <= names


def test_every_long_run_of_ermbit_in_vain_says_which_engines_are_to_follow() -> None:
    """A row without them would make its instance open before any of them has run alone."""
    runs = [run for run in open_runs.read() if run.solver == "ermbit" and run.is_attempt]
    assert runs and [run for run in runs if run.status != "unsupported" and not run.engines] == []


DRAWN = [row for row in ROWS if row["family"] in families() and row["parameters"]]


@pytest.mark.parametrize("row", DRAWN, ids=_ids)
def test_families_draw_the_same_instances_again(row: dict[str, str]) -> None:
    """Question, least loss, status and reason of what the family knows follow from the seed."""
    stored = json.loads((LIBRARY / row["file"]).read_text("utf-8"))
    meta = stored["meta"]
    drawn = generate(row["family"], meta["seed"], **meta["parameters"]).document
    for key in ("network", "weights", "data", "loss"):
        assert drawn.get(key) == stored.get(key)
    assert str(drawn["meta"].get("minimum", "")) == row["minimum"]
    if row["known_by"] in ("construction", "exhaustive"):
        assert drawn["threshold"] == stored["threshold"]
        assert drawn["meta"]["status"] == row["status"]
        assert drawn["meta"]["how"] == row["how_known"]
    else:
        assert drawn["meta"]["status"] == "unknown"


@pytest.mark.parametrize("row", ROWS, ids=_ids)
def test_status_and_certificate(row: dict[str, str]) -> None:
    instance = load(LIBRARY / row["file"])
    assert instance.meta["status"] == row["status"]
    if row["certificate"]:
        assert row["status"] == "sat"
        verdict = verify(instance, LIBRARY / row["certificate"])
        assert verdict.accepted, verdict
        if row["minimum"]:
            assert verdict.loss == parse_rational(row["minimum"]), "not the least, or not attained"
    if row["minimum"]:
        assert instance.threshold is not None
        is_reached = parse_rational(row["minimum"]) <= instance.threshold
        assert row["status"] == ("sat" if is_reached else "unsat")


BEST = [row for row in ROWS if row["best_loss"]]


@pytest.mark.parametrize("row", BEST, ids=_ids)
def test_best_losses_are_reached(row: dict[str, str]) -> None:
    instance = load(LIBRARY / row["file"])
    assert row["status"] == "unknown" and instance.threshold is not None
    best = parse_rational(row["best_loss"])
    assert parse_rational(row["best_bound"]) <= instance.threshold < best
    verdict = verify(instance, LIBRARY / row["best_certificate"])
    assert not verdict.accepted and verdict.loss == best


@cache
def _quick() -> list[dict[str, str]]:
    chosen = []
    for row in ROWS:
        problem = Problem(load(LIBRARY / row["file"]))
        capability = engine("exhaustive").capability(problem, "decide")
        if capability.complete and (problem.assignments or 0) <= 10**QUICK:
            chosen.append(row)
    return chosen


@pytest.mark.parametrize("row", _quick(), ids=_ids)
def test_quick_statuses_are_derived_again(row: dict[str, str]) -> None:
    problem = Problem(load(LIBRARY / row["file"]))
    outcome = engine("exhaustive").decide(problem, Budget(time.monotonic() + 60), ignore)
    assert outcome.status == row["status"]


def test_enough_is_derived_again() -> None:
    assert len(_quick()) >= 40


REFUTED_BY = {
    "xor-1-relu-real": "smt",
    "xor-linear-hinge-below-1": "cells",
    "parity3-2-relu": "tables",
    "infimum-not-attained": "nra",
    "subset-sum-2-4-6-T5-real": "cells",
    "blum-rivest-triangle-free-output": "deep_tables",
    "c5-two-relus": "cells",
    "fano-two-relus": "tables",
    "vertex-cover-c5-absolute-below-3": "cells",
    "densest-halfspace-c5-2": "tables",
    "one-in-three-all-triples-of-4": "cells",
    "cnf-one-sample-unsat": "smt",
    "tent-chebyshev-below": "cells",
    "tent-least-squares-below": "cells",
    "tent-least-deviation-below": "cells",
    "weighted-contradiction-below": "cells",
    "contradicting-votes-0": "halfspaces",
    "tenth-float32": "elimination",
    "iris-setosa-no-bias": "hitting_sets",
    "iris-versicolor-virginica-petals-2": "halfspaces",
    "iris-versicolor-virginica-sepals-24": "hitting_sets",
}
"""Of those without parameters, which no family draws again, the ``unsat`` that have too many
assignments to be enumerated here: an engine that is complete for them and knows nothing of
their proofs. All of them together take seconds."""

CONTAINED = {"xor-1-relu-fp8": "xor-1-relu-real"}
"""``unsat`` that takes engines too long here: the same question over a larger domain is refuted."""


def test_every_handmade_refutation_is_derived_again() -> None:
    enumerated = {row["name"] for row in _quick()}
    handmade = {r["name"] for r in ROWS if r["status"] == "unsat" and not r["parameters"]}
    assert handmade - enumerated == {*REFUTED_BY, *CONTAINED}
    assert set(CONTAINED.values()) <= {*REFUTED_BY, *enumerated}


@pytest.mark.parametrize("name", REFUTED_BY)
def test_handmade_refutations_are_derived_again(name: str) -> None:
    """Also their least loss, by engines that find it, which holds the ``sat`` halves of pairs."""
    problem = Problem(load(LIBRARY / f"{name}.erm.json"))
    chosen, budget = engine(REFUTED_BY[name]), Budget(time.monotonic() + 60)
    assert chosen.capability(problem, "decide").complete
    assert chosen.decide(problem, budget, ignore).status == "unsat"
    minimum = problem.instance.meta.get("minimum")
    if minimum is not None and chosen.capability(problem, "minimize").complete:
        outcome = chosen.minimize(problem, budget, ignore)
        assert (outcome.status, outcome.lower_bound) == ("optimal", parse_rational(str(minimum)))


@pytest.mark.parametrize("name, larger", CONTAINED.items())
def test_a_question_over_a_smaller_domain(name: str, larger: str) -> None:
    """Only the domain differs, and the other one is all real numbers."""
    document, other = (
        json.loads((LIBRARY / f"{n}.erm.json").read_text("utf-8")) for n in (name, larger)
    )
    assert other["weights"] == {"domain": "real"}
    for key in ("network", "data", "loss", "threshold"):
        assert document[key] == other[key]
