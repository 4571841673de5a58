"""Instances from the families of the package, chosen in ``choices.csv``.

Their status is known by construction (a planted certificate, a theorem, an exact search on the
source problem), or it was found by search and is stored in ``answers.json``, or nobody knows it.
Whether solvers were tried on it for long enough to call it open is what ``open_runs.csv`` says; of
those whose status is known by construction, that is asked for rows with ``measure`` = yes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from ermbit_instances.families import generate
from ermbit_instances.families.family import certificate_document
from ermbit_instances.instance import parse_instance
from ermbit_instances.jsonfile import dump_json
from library_sources import answers, open_runs
from library_sources.entry import Document, Entry, written
from library_sources.open_runs import Run, Standing

CHOICES = Path(__file__).with_name("choices.csv")

PEER = "peer "
"""Before the name and version of a peer, where answers.json has the engine of ermbit."""


def entries() -> Iterator[Entry]:
    """The chosen instances under their names in the library.

    Raises:
        ValueError: a stored answer is to another question, or contradicts the construction.
    """
    known, runs = answers.read(), open_runs.read()
    for item, is_measured in _drawn():
        name, status = item.document["name"], item.document["meta"]["status"]
        if status != "unknown" and not is_measured:
            yield item
            continue
        question = parse_instance(item.document).sha256
        standing = open_runs.standing(name, question, runs)
        answer = known.get(name)
        if status != "unknown":
            yield _hard(item, standing, question, runs)
        elif answer is not None and answer.question != question:
            raise ValueError(f"{name}: the stored answer is for another question")
        elif answer is not None and answer.status != "unknown":
            yield _answered(item, answer, standing)
        elif standing.kind == "decided":
            raise ValueError(f"{name}: decided in open_runs.csv, but not in answers.json")
        else:
            yield _undecided(item, answer, standing)


def undecided() -> Iterator[Entry]:
    """Those whose status is not known by construction."""
    return (item for item, _ in _drawn() if item.document["meta"]["status"] == "unknown")


def candidates() -> Iterator[Entry]:
    """What may be open: without an answer so far, or to be measured though it is known."""
    known = answers.read()
    for item, is_measured in _drawn():
        answer = known.get(item.document["name"])
        is_unknown = item.document["meta"]["status"] == "unknown"
        if is_measured or (is_unknown and (answer is None or answer.status == "unknown")):
            yield item


def _drawn() -> Iterator[tuple[Entry, bool]]:
    """The entry of every row, and whether it says ``measure``."""
    with CHOICES.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            parameters = dict(word.split("=", 1) for word in row["parameters"].split())
            made = generate(row["family"], int(row["seed"]), **parameters)
            document = {**made.document, "name": row["name"]}
            if row["threshold"]:
                # Pairs around the least loss, which the family does not know.
                if document["meta"]["status"] != "unknown":
                    raise ValueError(f"{row['name']}: another threshold changes the status")
                document["threshold"] = written(Fraction(row["threshold"]))
            certificate = None if made.certificate is None else made.certificate["parameters"]
            yield Entry(document, certificate), row["measure"] == "yes"


def _hard(item: Entry, standing: Standing, question: str, runs: Sequence[Run]) -> Entry:
    """One whose answer is known by construction, with who did not find it."""
    name, status = item.document["name"], item.document["meta"]["status"]
    for run in runs:
        if (run.instance, run.question) == (name, question) and run.is_answer:
            if run.status != status:
                raise ValueError(f"{name}: {run.solver} says {run.status}, it is {status}")
    return Entry(_with_meta(item.document, _tried(standing)), item.certificate, item.files)


def _answered(item: Entry, answer: answers.Answer, standing: Standing) -> Entry:
    """One that a solver has answered, in the long runs or apart from them."""
    who = str(answer.engine)
    if who.startswith(PEER):
        if answer.status != "sat":
            raise ValueError(f"{item.document['name']}: a peer alone does not decide unsat")
        name = who.removeprefix(PEER)
        how, known_by = f"found by {name}; the certificate is exact", PEER + name.split()[0]
    else:
        known_by = f"engine {who}"
        how = f"decided by ermbit, {known_by}, which is complete for it"
        if answer.status == "sat":
            how = f"found by ermbit, {known_by}; the certificate is exact"
    meta = {"status": answer.status, "how": how, "known_by": known_by}
    if standing.tried_by:
        meta |= {"open": "no", "tried_by": standing.tried_by}
    return Entry(_with_meta(item.document, meta), answer.certificate)


def _undecided(item: Entry, answer: answers.Answer | None, standing: Standing) -> Entry:
    meta: Document = {"status": "unknown", "known_by": standing.kind, **_tried(standing)}
    match standing.kind:
        case "open":
            meta["how"] = f"open: {standing.tried_by}"
        case "peer":
            meta["known_by"] = PEER + standing.tried_by.split()[2]
            meta["how"] = f"claimed by a peer alone: {standing.tried_by}"
        case _:
            meta["how"] = "candidate: not tried by all solvers"
            if answer is not None:
                meta["how"] += f"; ermbit did not decide it in {answer.seconds:g} s"
    files = {}
    if answer is not None:
        meta |= {"best_loss": answer.loss, "best_bound": answer.bound}
        if answer.certificate is not None:
            meta["best_certificate"] = f"{item.document['name']}.best.json"
            content = dump_json(certificate_document(answer.certificate))
            files[meta["best_certificate"]] = content.encode("utf-8")
    return Entry(_with_meta(item.document, meta), None, files)


def _tried(standing: Standing) -> Document:
    shown = {"open": "yes", "candidate": "candidate"}.get(standing.kind, "no")
    return {"open": shown, "tried_by": standing.tried_by}


def _with_meta(document: Document, meta: Document) -> Document:
    return {**document, "meta": {**document["meta"], **meta}}
