"""What ``solve`` and ``minimize`` share on the command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ermbit.api import answer_question
from ermbit.cli.arguments import read_threshold
from ermbit.cli.output import Output, complain
from ermbit.cli.progress import shown
from ermbit.cli.report import answer_output
from ermbit.engines.engine import Task
from ermbit.options import search_options
from ermbit.processes import program
from ermbit_instances.errors import MissingFileError
from ermbit_instances.instance import Instance, load


def run_search(task: Task, arguments: argparse.Namespace, threshold: str | None = None) -> Output:
    """Run a search as the command line asks for it.

    Args:
        task: ``"decide"`` or ``"minimize"``.
        arguments: the parsed command line.
        threshold: text of a γ that replaces that of the file.
    """
    if program.is_declared():
        program.one_numeric_thread(os.environ)  # numpy is not imported yet
    options = search_options(
        engine=arguments.engine,
        timeout=arguments.timeout,
        memory=arguments.memory,
        threads=arguments.threads,
        seed=arguments.seed,
    )
    asked = None if threshold is None else read_threshold(threshold)
    certificate = None if arguments.certificate is None else Path(arguments.certificate)
    if certificate is not None:
        _check_writable(certificate)

    def read() -> Instance:
        instance = load(arguments.instance, allow_external_data=arguments.allow_external_data)
        return instance if asked is None else instance.with_threshold(asked)

    with shown(live=task == "minimize", verbose=arguments.verbose) as listen:
        answer = answer_question(
            task, read, as_filed=asked is None, options=options, progress=listen
        )
    for warning in answer.warnings:
        complain("warning", warning)
    return answer_output(answer, certificate)


def _check_writable(path: Path) -> None:
    """Refuse before hours of search what could not be written afterwards."""
    if "\0" in str(path):
        raise MissingFileError("not a file name", file=repr(str(path)))
    if path.is_dir():
        raise MissingFileError("is a folder, not a file", file=path)
    if not path.parent.is_dir():
        raise MissingFileError("the folder does not exist", file=path)
