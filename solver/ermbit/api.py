"""The functions that ``import ermbit`` offers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ermbit.options import SearchOptions, search_options
from ermbit_instances.errors import InputError
from ermbit_instances.instance import Instance
from ermbit_instances.instance import load as load_instance

if TYPE_CHECKING:
    from ermbit.answer import Answer
    from ermbit.engines.engine import Task
    from ermbit.progress import Listener
    from ermbit.verifier.derivatives import Gradient
    from ermbit.verifier.verdict import Verdict
    from ermbit_instances.certificate import Certificate


def load(path: str | Path, *, allow_external_data: bool = False) -> Instance:
    """Read an instance file.

    Args:
        path: ``NAME.erm.json``.
        allow_external_data: accept data files outside the instance's folder.

    Raises:
        InputError: with file, JSON path and reason.
    """
    return load_instance(path, allow_external_data=allow_external_data)


def solve(
    instance: Instance | str | Path,
    *,
    engine: str = "auto",
    timeout: float | None = None,
    memory: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    progress: Listener | None = None,
) -> Answer:
    """Decide whether θ exists, every parameter in its domain, with L(θ) ≤ γ.

    A ``sat`` comes with a certificate that the verifier has accepted, with the instance read again
    from its file. Ctrl-C gives ``unknown`` with the reason ``interrupted``.

    Args:
        instance: the question, or the path of its file.
        engine: one engine by name, ``"auto"``, or ``"cross-check"`` (every complete engine runs to
            its end, and all must agree).
        timeout: seconds of wall-clock time.
        memory: megabytes for all engines together.
        threads: engines that run at the same time; by default one for each processor, at least 2.
        seed: of random choices.
        progress: is called with every step.

    Raises:
        InputError: the instance has no threshold, or its file is wrong or was changed meanwhile.
        UsageError: an option is out of range, or no engine has that name.
        InternalError: engines and verifier contradict each other; a reproduction file is written.
    """
    options = search_options(
        engine=engine, timeout=timeout, memory=memory, threads=threads, seed=seed
    )
    return _answer("decide", instance, options, progress)


def minimize(
    instance: Instance | str | Path,
    *,
    engine: str = "auto",
    timeout: float | None = None,
    memory: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    progress: Listener | None = None,
) -> Answer:
    """Find the least loss over the domains; the threshold plays no role.

    Anytime: a timeout or Ctrl-C gives the best certificate so far, verified, and the best lower
    bound. Arguments and errors are those of :func:`solve`.
    """
    options = search_options(
        engine=engine, timeout=timeout, memory=memory, threads=threads, seed=seed
    )
    return _answer("minimize", instance, options, progress)


def verify(
    instance: Instance | str | Path,
    certificate: Certificate | Mapping[str, Any] | str | Path,
    *,
    exact_loss: bool = False,
    loss_bit: int | tuple[int, int] | None = None,
    leading_bits: int | None = None,
    memory: int | None = None,
    timeout: float | None = None,
) -> Verdict:
    """Decide exactly whether a certificate proves an instance ``sat``.

    Args:
        instance: the question, or the path of its file.
        certificate: the path of a certificate file (JSON, NPZ, ONNX), its document, or a mapping
            of parameters such as ``Answer.certificate``.
        exact_loss: compute the whole loss, even where a bound decides.
        loss_bit: K, or (K, count): the bits K, …, K+count−1 of the loss.
        leading_bits: so many of the highest bits of the loss.
        memory: megabytes that the numbers may take.
        timeout: seconds.

    Raises:
        InputError: a file is wrong, or the certificate does not fit the network.
    """
    from ermbit.verifier.question import Question
    from ermbit.verifier.verify import verify as decide

    question = Question(exact_loss, _window(loss_bit), leading_bits, memory, timeout)
    return decide(_read(instance), certificate, question)


def gradient(
    instance: Instance | str | Path,
    certificate: Certificate | Mapping[str, Any] | str | Path,
    *,
    parameter: str | None = None,
    bit: int | tuple[int, int] | None = None,
    numerator_bit: int | tuple[int, int] | None = None,
    leading_bits: int | None = None,
    memory: int | None = None,
    timeout: float | None = None,
) -> Gradient:
    """Differentiate the loss at a certificate, exactly.

    Args:
        instance: the instance, or the path of its file; domains and threshold play no role.
        certificate: as for :func:`verify`.
        parameter: of one parameter only.
        bit: K, or (K, count): bits of the absolute values.
        numerator_bit: the same of the integer numerators over the common denominator.
        leading_bits: so many of the highest bits.
        memory: megabytes that the numbers may take.
        timeout: seconds.

    Raises:
        InputError: a file is wrong, or the certificate does not fit the network.
        UsageError: no such parameter; bits of an algebraic derivative.
    """
    from ermbit.verifier.gradient import Wanted
    from ermbit.verifier.gradient import gradient as differentiate

    wanted = Wanted(parameter, False, _window(bit), _window(numerator_bit), leading_bits)
    question = _read(instance)
    return differentiate(question, certificate, wanted, memory=memory, timeout=timeout)


def _window(bits: int | tuple[int, int] | None) -> tuple[int, int] | None:
    return (bits, 1) if isinstance(bits, int) else bits


def generate(family: str, seed: int = 0, **parameters: object) -> Instance:
    """A benchmark instance of a family; equal calls give equal instances.

    Args:
        family: its name; ``ermbit families`` lists all.
        seed: 0 to 2^63 − 1.
        **parameters: of the family.

    Raises:
        UsageError: no such family or parameter, or a value that the family does not allow.
    """
    from ermbit_instances import families
    from ermbit_instances.instance import parse_instance

    return parse_instance(families.generate(family, seed, **parameters).document)


def _read(instance: Instance | str | Path) -> Instance:
    return instance if isinstance(instance, Instance) else load_instance(instance)


def _answer(
    task: Task, instance: Instance | str | Path, options: SearchOptions, progress: Listener | None
) -> Answer:
    return answer_question(
        task,
        lambda: _read(instance),
        as_filed=not isinstance(instance, Instance),
        options=options,
        progress=progress,
    )


def answer_question(
    task: Task,
    read: Callable[[], Instance],
    *,
    as_filed: bool,
    options: SearchOptions,
    progress: Listener | None = None,
) -> Answer:
    """What :func:`solve`, :func:`minimize` and the command line share.

    Args:
        task: ``"decide"`` or ``"minimize"``.
        read: gives the instance.
        as_filed: its threshold is the one in its file.
        options: checked.
        progress: is called with every step.
    """
    from ermbit.answer import Answer
    from ermbit.portfolio import search
    from ermbit.processes.target import INTERRUPTED
    from ermbit.progress import silent

    start = time.monotonic()
    try:
        question = read()
        if task == "decide" and question.threshold is None:
            raise InputError("the key 'threshold' is missing", file=question.file, path="$")
        return search(task, question, options, progress or silent, as_filed=as_filed)
    except KeyboardInterrupt:  # while the instance was read, or its answer put together
        return Answer("unknown", None, time.monotonic() - start, reason=INTERRUPTED)
