"""The portfolio: who is run, who wins, what is merged, and what is never believed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq

import ermbit
import fake_engines as fakes
from ermbit.bounds import Bounds
from ermbit.confirmation import Confirmation
from ermbit.engines import registry
from ermbit.engines.engine import Engine, Incumbent
from ermbit.plan import head_start, make_plan, quick_plan
from ermbit.progress import Progress
from ermbit.reproduction import Contradiction
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import Instance, parse_instance

SHORT = 1.0  # seconds; long enough for a process to start and to report


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reproduction files go to the current folder."""
    monkeypatch.chdir(tmp_path)


def toy(*arguments: Any, **changes: Any) -> Instance:
    return parse_instance(fakes.toy(*arguments, **changes))


def reproduction(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("ermbit-reproduction-*.json")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


# -- the plan


class Cheap(fakes.Fake):
    name = "cheap"
    cost = 0.5


class Dear(fakes.Fake):
    name = "dear"
    cost = 7.0


class Guess(fakes.Fake):
    name = "guess"
    complete = False
    cost = 0.0


def test_complete_engines_come_first_and_cheap_ones_before_dear_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes.install(Guess, Dear, fakes.Unfit, Cheap, patch=monkeypatch)
    plan = make_plan(Problem(toy()), "decide")
    assert [entrant.name for entrant in plan.entrants] == ["cheap", "dear", "guess"]
    assert [candidate.name for candidate in plan.candidates] == ["guess", "dear", "unfit", "cheap"]
    assert plan.is_complete
    assert quick_plan(Problem(toy()), "decide") is None


class Slow(fakes.Fake):
    name = "slow"
    cost = 6.0


class Luck(fakes.Fake):
    name = "luck"
    complete = False
    cost = 3.0


def test_two_finders_follow_the_first_two_provers(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(Luck, Guess, Dear, Slow, Cheap, patch=monkeypatch)
    plan = make_plan(Problem(toy()), "decide")
    assert [e.name for e in plan.entrants] == ["cheap", "slow", "guess", "luck", "dear"]


def test_finders_and_provers_take_turns_where_no_prover_is_cheap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes.install(Dear, Luck, fakes.Unfit, Guess, Slow, patch=monkeypatch)
    for task in ("decide", "minimize"):
        plan = make_plan(Problem(toy()), task)  # type: ignore[arg-type]
        assert [e.name for e in plan.entrants] == ["guess", "slow", "luck", "dear"]
        assert plan.is_complete
        assert quick_plan(Problem(toy()), task) is None  # type: ignore[arg-type]


class Hopeless(fakes.Fake):
    name = "hopeless"
    cost = 20.0


class Third(Luck):
    name = "third"
    cost = 4.0


def test_two_finders_come_first_where_no_prover_will_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(Hopeless, Third, Luck, Guess, patch=monkeypatch)
    plan = make_plan(Problem(toy()), "decide")
    assert [e.name for e in plan.entrants] == ["guess", "luck", "hopeless", "third"]


def test_cross_check_runs_complete_engines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(Guess, Dear, Cheap, patch=monkeypatch)
    plan = make_plan(Problem(toy()), "decide", "cross-check")
    assert [entrant.name for entrant in plan.entrants] == ["cheap", "dear"]


def test_an_engine_that_cannot_be_loaded_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Honest, patch=monkeypatch)
    table = {**registry._ENGINES, "lost": "no_such_module:Lost"}
    monkeypatch.setattr(registry, "_ENGINES", table)
    monkeypatch.setattr(registry, "NAMES", tuple(table))
    assert ermbit.solve(toy()).status == "sat"
    answer = ermbit.solve(toy(), engine="lost")
    assert answer.status == "unknown"
    assert "lost: cannot be loaded: No module named 'no_such_module'" in (answer.reason or "")


def test_no_engine_looks_at_numbers_that_fit_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Honest, patch=monkeypatch)
    squares = [{"units": 1, "activation": "square"} for _ in range(40)]
    answer = ermbit.solve(toy(network={"inputs": 1, "layers": squares}))
    assert answer.status == "unknown"
    assert "bits" in (answer.reason or "")


# -- deciding


def test_the_first_proved_answer_wins_and_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Halfway, fakes.Honest, fakes.Stubborn, patch=monkeypatch)
    answer = ermbit.solve(toy(), threads=3)
    assert (answer.status, answer.engine) == ("sat", "honest")
    assert answer.warnings == ()


def test_a_cheap_search_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Halfway, fakes.InlineHonest, patch=monkeypatch)
    answer = ermbit.solve(toy())
    assert (answer.engine, answer.statistics["exhaustive"]["pid"]) == ("exhaustive", os.getpid())
    least = ermbit.minimize(toy(5))
    assert (least.status, least.loss) == ("optimal", 3)


def test_an_engine_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Overbidder, fakes.Honest, patch=monkeypatch)
    assert ermbit.solve(toy(), engine="honest").engine == "honest"


def test_unknown_names_the_reasons_of_all_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Unfit, Guess, patch=monkeypatch)
    for answer in (ermbit.solve(toy()), ermbit.minimize(toy())):
        assert answer.status == ("unknown" if answer.lower_bound is None else "feasible")
        assert (answer.reason or "").startswith("no complete engine for this instance: ")
        assert "unfit: the moon is not full" in (answer.reason or "")
        assert "guess: it is a fake" in (answer.reason or "")


def test_unknown_of_a_complete_engine_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(Cheap, patch=monkeypatch)
    assert ermbit.solve(toy()).reason == "cheap: no idea"


@pytest.mark.parametrize("engine", [fakes.Halfway, fakes.Climber])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_timeout_is_the_reason(
    engine: type[Engine], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(engine, patch=monkeypatch)
    answer = ermbit.solve(toy(), timeout=SHORT, threads=threads)
    assert (answer.status, answer.reason) == ("unknown", "timeout")


def test_too_little_memory_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Hungry, patch=monkeypatch)
    answer = ermbit.solve(toy())
    assert (answer.status, answer.reason) == ("unknown", "memory")


def test_a_bug_in_one_engine_does_not_hide_the_answer_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes.install(fakes.Buggy, fakes.Honest, patch=monkeypatch)
    answer = ermbit.solve(toy(), threads=1)
    assert (answer.status, answer.engine) == ("sat", "honest")
    assert answer.warnings == ("engine buggy failed: KeyError: 'a bug'",)


@pytest.mark.parametrize("task", ["solve", "minimize"])
def test_nothing_but_a_bug_is_an_internal_error(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(fakes.Buggy, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match="KeyError"):
        getattr(ermbit, task)(toy())
    document = reproduction(tmp_path)
    assert "KeyError" in document["traceback"]
    assert document["engine"] == "buggy"


def test_an_engine_that_doubts_itself_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Appalled, fakes.Halfway, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match="the model has total 3"):
        ermbit.solve(toy())


# -- what is never believed


@pytest.mark.parametrize(
    "engine, word",
    [
        (fakes.Refuted, "3 is greater than 0"),
        (fakes.Outside, "outside its domain"),
        (fakes.Misshapen, "no usable parameters"),
        (fakes.Confused, "optimal"),
    ],
)
def test_a_wrong_certificate_is_no_answer(
    engine: type[Engine], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(engine, patch=monkeypatch)
    with pytest.raises(Contradiction, match=word) as caught:
        ermbit.solve(toy(), seed=7)
    assert isinstance(caught.value, ermbit.InternalError)
    document = reproduction(tmp_path)
    assert caught.value.reproduction == next(tmp_path.glob("ermbit-reproduction-*.json"))
    assert word in document["what"]
    assert (document["engine"], document["seed"]) == (engine.name, 7)
    assert parse_instance(document["instance"]).sha256 == toy().sha256
    if engine in (fakes.Refuted, fakes.Outside):
        verdict = ermbit.verify(toy(), document["certificate"])
        assert verdict.accepted is False
    assert document["versions"]["ermbit"] == ermbit.__version__


def test_the_reproduction_file_goes_elsewhere_if_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(fakes.Refuted, patch=monkeypatch)
    gone, other = tmp_path / "gone", tmp_path / "other"
    gone.mkdir()
    other.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr("tempfile.tempdir", str(other))
    with pytest.raises(ermbit.InternalError, match="other"):
        ermbit.solve(toy())
    assert reproduction(other)["engine"] == "refuted"


@pytest.mark.parametrize(
    "engine, word",
    [
        (fakes.Refuted, "another loss"),
        (fakes.Outside, "outside its domain"),
        (fakes.Misshapen, "optimal"),
        (fakes.Confused, "sat"),
        (fakes.FalseOptimum, "claims the least loss 3"),
    ],
)
def test_a_wrong_minimum_is_no_answer(
    engine: type[Engine], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(engine, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match=word):
        ermbit.minimize(toy(5))
    assert reproduction(tmp_path)["task"] == "minimize"


@pytest.mark.parametrize("other", [fakes.Honest, fakes.Climber])
def test_a_bound_above_a_verified_loss_is_no_answer(
    other: type[Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(fakes.Overbidder, other, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match="overbidder is above the verified loss"):
        ermbit.minimize(toy(5), engine="auto" if other is fakes.Climber else "cross-check")
    assert reproduction(tmp_path)["certificate"] is not None


def test_cross_check_compares_definite_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Honest, fakes.Overbidder, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match="answers unsat"):
        ermbit.solve(toy(), engine="cross-check")


def test_cross_check_reports_who_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Honest, fakes.InlineHonest, fakes.Fake, patch=monkeypatch)
    answer = ermbit.solve(toy(), engine="cross-check")
    ends = {"honest": "sat", "exhaustive": "sat", "fake": "unknown"}
    assert (answer.status, answer.statistics["cross_check"]) == ("sat", ends)
    least = ermbit.minimize(toy(5), engine="cross-check")
    ends = {"honest": "optimal", "exhaustive": "optimal", "fake": "unknown"}
    assert (least.status, least.statistics["cross_check"]) == ("optimal", ends)


# -- minimising


def test_bound_and_incumbent_of_different_engines_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Climber, fakes.Prover, patch=monkeypatch)
    answer = ermbit.minimize(toy(5))
    assert (answer.status, answer.loss, answer.lower_bound) == ("optimal", 3, 3)
    assert answer.certificate == {"W1": [[2]]}


def test_a_loss_of_zero_needs_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Climber, patch=monkeypatch)
    answer = ermbit.minimize(toy(2))
    assert (answer.status, answer.loss, answer.lower_bound) == ("optimal", 0, 0)


def test_after_an_interrupt_the_best_of_all_engines_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes.install(fakes.Halfway, fakes.Climber, patch=monkeypatch)
    without_start(monkeypatch)

    def interrupt(progress: Progress) -> None:
        if (progress.loss, progress.lower_bound) == (3, 2):
            raise KeyboardInterrupt

    answer = ermbit.minimize(toy(5), progress=interrupt)
    assert (answer.status, answer.reason) == ("feasible", "interrupted")
    assert (answer.loss, answer.lower_bound) == (3, 2)
    assert answer.certificate == {"W1": [[2]]}


def without_start(patch: pytest.MonkeyPatch) -> None:
    """Keep the plain starting certificate out of a test about engines."""
    patch.setattr("ermbit.minimization.START_LIMIT", -1)


def test_there_is_a_certificate_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Halfway, patch=monkeypatch)
    answer = ermbit.minimize(toy(5), timeout=0)
    assert (answer.status, answer.reason, answer.lower_bound) == ("feasible", "timeout", 0)
    assert (answer.engine, answer.certificate, answer.loss) == ("start", {"W1": [[0]]}, 5)


def test_without_incumbent_zero_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Halfway, patch=monkeypatch)
    without_start(monkeypatch)
    answer = ermbit.minimize(toy(5), timeout=0)
    assert (answer.status, answer.reason, answer.lower_bound) == ("unknown", "timeout", 0)
    assert (answer.certificate, answer.loss) == (None, None)


def test_an_infimum_is_not_attained(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Approacher, patch=monkeypatch)
    answer = ermbit.minimize(toy(5))
    assert (answer.status, answer.loss, answer.lower_bound) == ("infimum", 4, 3)
    assert answer.certificate == {"W1": [[1]]}


def test_an_infimum_that_is_attained_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Approacher, patch=monkeypatch)
    with pytest.raises(ermbit.InternalError, match="unattainable"):
        ermbit.minimize(toy(4))  # where the incumbent has loss 3


def test_an_irrational_least_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Irrational, patch=monkeypatch)
    without_start(monkeypatch)
    answer = ermbit.minimize(toy(0, weights={"domain": "real"}))
    assert answer.status == "optimal"
    assert answer.loss == answer.lower_bound
    assert answer.loss is not None
    assert answer.loss * answer.loss == 2
    document = answer.to_json()
    assert document["loss"].startswith("(root-of-with-interval ")
    assert json.loads(json.dumps(document)) == document


def test_progress_is_monotone_and_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Climber, fakes.Prover, patch=monkeypatch)
    steps: list[Progress] = []
    ermbit.minimize(toy(5), progress=steps.append)
    assert steps[0].step == "start"
    losses = [step.loss for step in steps if step.loss is not None]
    bounds = [step.lower_bound for step in steps if step.lower_bound is not None]
    assert losses == sorted(losses, reverse=True)
    assert bounds == sorted(bounds)
    assert (losses[-1], bounds[-1]) == (3, 3)
    assert {7, 5, 6, 3, 4}.issuperset(losses)


def test_an_error_of_the_listener_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Climber, patch=monkeypatch)

    def fail(progress: Progress) -> None:
        if progress.step == "incumbent":
            raise LookupError("of the caller")

    with pytest.raises(LookupError, match="of the caller"):
        ermbit.minimize(toy(5), progress=fail)


class CountingConfirmation(Confirmation):
    """Counts verifications, and lets each of them take long."""

    count = 0

    def confirm(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return super().confirm(*arguments, **options)


def test_many_incumbents_are_verified_on_a_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1e-3
        return clock[0]

    monkeypatch.setattr("ermbit.bounds.time.monotonic", tick)
    values = 400
    instance = toy(1000, None, weights={"domain": "integer", "low": 0, "high": values})
    confirmation = CountingConfirmation(instance, "minimize", 0, as_filed=False)
    bounds = Bounds(confirmation, lambda engine, step: None)
    for k in range(values + 1):
        bounds.offer("climber", Incumbent((mpq(k),), mpq(1000 - k)))
    bounds.flush()
    assert bounds.best is not None
    assert bounds.best.loss == 1000 - values
    assert 1 < confirmation.count < values / 2


# -- the head start of a cheap engine


@pytest.mark.parametrize("start", [0.0, 60.0])
@pytest.mark.parametrize("engine", ["auto", "tables"])
def test_a_head_start_is_enough_or_not(
    start: float, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ermbit.plan.HEAD_START", start)
    far = toy(target=4)
    assert quick_plan(Problem(far), "decide") is not None
    assert quick_plan(Problem(far), "decide", "cross-check") is None
    answer = ermbit.minimize(far, engine=engine)
    assert (answer.status, answer.loss, answer.lower_bound) == ("optimal", 2, 2)
    assert ermbit.minimize(far, engine=engine, memory=4000).loss == 2
    assert ermbit.solve(far, engine=engine).status == "unsat"
    assert ermbit.solve(far.with_threshold(mpq(2)), engine=engine).status == "sat"


def test_a_head_start_is_longer_where_processors_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ermbit.plan.processors", lambda: 4)
    base = head_start(3, 1.0)
    assert head_start(4, 1.0) == base
    assert head_start(3, 2.0) == pytest.approx(2 * base)
    monkeypatch.setattr("ermbit.plan.processors", lambda: 1)
    assert head_start(1, 1.0) == base
    assert head_start(3, 1.0) == pytest.approx(3 * base)
    assert head_start(3, 20.0) == pytest.approx(4 * base)
