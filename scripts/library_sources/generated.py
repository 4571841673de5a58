"""Instances from the families of the package, chosen in ``choices.csv``.

Their status is known by construction (a planted certificate, a theorem, an exact search on the
source problem), or it was found by search and is stored in ``answers.json``, or it is open.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from ermbit_instances.families import generate
from ermbit_instances.instance import parse_instance
from library_sources import answers
from library_sources.entry import Document, Entry, written

CHOICES = Path(__file__).with_name("choices.csv")


def entries() -> Iterator[Entry]:
    """The chosen instances under their names in the library."""
    known = answers.read()
    for item in _drawn():
        name = item.document["name"]
        if item.document["meta"]["status"] != "unknown":
            yield item
        elif name not in known:
            yield _open(item, None)
        else:
            answer = known[name]
            if answer.question != parse_instance(item.document).sha256:
                raise ValueError(f"{name}: the stored answer is for another question")
            yield _open(item, answer) if answer.status == "unknown" else _answered(item, answer)


def undecided() -> Iterator[Entry]:
    """Those whose status is not known by construction."""
    return (item for item in _drawn() if item.document["meta"]["status"] == "unknown")


def _drawn() -> Iterator[Entry]:
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
            yield Entry(document, certificate)


def _answered(item: Entry, answer: answers.Answer) -> Entry:
    how = f"decided by ermbit, engine {answer.engine}, which is complete for it"
    if answer.status == "sat":
        how = f"found by ermbit, engine {answer.engine}; the certificate is exact"
    meta = {"status": answer.status, "how": how, "known_by": f"engine {answer.engine}"}
    return Entry(_with_meta(item.document, meta), answer.certificate)


def _open(item: Entry, answer: answers.Answer | None) -> Entry:
    meta: Document = {"status": "unknown", "known_by": "open", "how": "open"}
    if answer is not None:
        meta["how"] = f"open: ermbit did not decide it in {answer.seconds:g} s"
        meta |= {"best_loss": answer.loss, "best_bound": answer.bound}
    return Entry(_with_meta(item.document, meta), None)


def _with_meta(document: Document, meta: Document) -> Document:
    return {**document, "meta": {**document["meta"], **meta}}
