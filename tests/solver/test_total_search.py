"""What searches over all assignments may claim: scripted ones, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine_checks import problem_of
from ermbit.engines.engine import Event, Expired, Incumbent, LowerBound
from ermbit.engines.total_search import Found, Raised, Start, decide_total, minimize_total
from ermbit_encodings.integer_form import IntegerForm
from ermbit_instances.errors import InternalError

Script = Callable[[Found, Raised, int], None]


def form_of() -> IntegerForm:
    """One weight w of 0 to 9: the total is |w − 7|, and 7 where the search begins."""
    form = problem_of(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": 1,
                "layers": [{"units": 1, "activation": "identity", "bias": False}],
            },
            "weights": {"domain": "integer", "low": 0, "high": 9},
            "data": {"x": [[1]], "y": [[7]]},
            "loss": {"name": "absolute", "reduction": "sum"},
        }
    ).integer
    assert form is not None
    return form


def scripted(script: Script) -> Start:
    class Scripted:
        def __init__(self, found: Found, raised: Raised) -> None:
            self.found, self.raised = found, raised
            self.statistics: dict[str, Any] = {}

        def run(self, limit: int) -> None:
            script(self.found, self.raised, limit)

    return Scripted


def minimum(script: Script) -> tuple[str, Any, list[Event]]:
    events: list[Event] = []
    outcome = minimize_total(form_of(), scripted(script), events.append)
    return outcome.status, outcome.lower_bound, events


def test_an_end_of_the_time_claims_what_was_proved() -> None:
    def late(found: Found, raised: Raised, limit: int) -> None:
        assert limit == 6
        raised(1)
        assert found((3,), 4) == 3
        raised(2)
        raise Expired

    status, lower, events = minimum(late)
    assert status == "feasible" and lower == 2
    assert [e.loss for e in events if isinstance(e, LowerBound)] == [0, 1, 2]
    assert [e.loss for e in events if isinstance(e, Incumbent)] == [7, 4]

    def nothing(found: Found, raised: Raised, limit: int) -> None:
        raise Expired

    assert minimum(nothing)[:2] == ("feasible", 0)
    assert decide_total(form_of(), 3, scripted(nothing), "all").status == "unknown"


def test_ends() -> None:
    def all_of_it(found: Found, raised: Raised, limit: int) -> None:
        found((6,), 1)
        found((7,), 0)
        raise AssertionError("nothing is below 0")

    def none(found: Found, raised: Raised, limit: int) -> None:
        pass

    def met(found: Found, raised: Raised, limit: int) -> None:
        raised(4)
        found((3,), 4)
        raise AssertionError("the bound is met")

    assert minimum(all_of_it)[:2] == ("optimal", 0)
    assert minimum(none)[:2] == ("optimal", 7)
    assert minimum(met)[:2] == ("optimal", 4)
    assert decide_total(form_of(), 3, scripted(none), "all").status == "unsat"
    assert decide_total(form_of(), -1, scripted(all_of_it), "all").status == "unsat"
    assert decide_total(form_of(), 1, scripted(all_of_it), "all").status == "sat"


@pytest.mark.parametrize(
    ("parameters", "total", "bound"), [((6,), 2, 0), ((9,), 1, 2), ((1,), 6, 0), ((0,), 7, 0)]
)
def test_what_contradicts_itself_is_an_error(
    parameters: tuple[int, ...], total: int, bound: int
) -> None:
    """A wrong total; one below a proved bound; ones that do not count any more."""

    def wrong(found: Found, raised: Raised, limit: int) -> None:
        raised(bound)
        found((2,), 5)
        found(parameters, total)

    with pytest.raises(InternalError):
        minimum(wrong)


def test_a_hit_past_the_threshold_is_an_error() -> None:
    def wrong(found: Found, raised: Raised, limit: int) -> None:
        found((3,), 4)

    with pytest.raises(InternalError):
        decide_total(form_of(), 3, scripted(wrong), "all")
