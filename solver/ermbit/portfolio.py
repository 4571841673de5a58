"""The portfolio: engines raced on one question, their reports merged into one answer.

The first proved answer wins. Whatever an engine finds passes through
:class:`~ermbit.confirmation.Confirmation`; whatever contradicts something else ends in an internal
error instead of an answer.
"""

from __future__ import annotations

from ermbit.answer import Answer
from ermbit.confirmation import Confirmation
from ermbit.decision import Decision
from ermbit.engines.engine import Task
from ermbit.minimization import Minimization
from ermbit.options import SearchOptions
from ermbit.progress import Listener
from ermbit.reproduction import Contradiction
from ermbit_instances.errors import InternalError
from ermbit_instances.instance import Instance


def search(
    task: Task,
    instance: Instance,
    options: SearchOptions,
    listen: Listener,
    *,
    as_filed: bool,
) -> Answer:
    """Answer one question.

    Args:
        task: ``"decide"`` (the instance has a threshold) or ``"minimize"``.
        instance: the question.
        options: limits and choices, checked.
        listen: is told of every step.
        as_filed: the threshold is the one in the instance's file.

    Raises:
        InternalError: two parts that must agree do not; with a reproduction file.
        InputError: the instance's file was changed meanwhile.
        UsageError: there is no engine of that name.
    """
    kind = Decision if task == "decide" else Minimization
    try:
        return kind(instance, options, listen, as_filed=as_filed).run()
    except Contradiction:
        raise
    except InternalError as error:  # of exact arithmetic, for instance
        confirmation = Confirmation(instance, task, options.seed, as_filed=as_filed)
        raise confirmation.refusal(str(error), None) from error
