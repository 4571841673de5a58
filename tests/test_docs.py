"""The documentation says what the code does: links, commands, tables, examples."""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq

import ermbit
from ermbit.answer import Answer
from ermbit.cli import main as command_line
from ermbit.engines import registry
from ermbit.inspection import describe
from ermbit.options import SEARCH, Option
from ermbit.verifier.verdict import Verdict
from ermbit_instances import limits
from ermbit_instances.activation import NAMES as ACTIVATIONS
from ermbit_instances.families import FamilyParameter, activation_text, domain_text, families
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.instance import Instance, load, parse_instance
from ermbit_instances.loss import LOSSES, REDUCTIONS
from ermbit_instances.rational_domain import RationalDomain
from ermbit_instances.reductions import colorability, formulas, hypergraph

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]

NOTATIONS = (
    activation_text.NOTATION,
    domain_text.NOTATION,
    hypergraph.NOTATION,
    colorability.NOTATION,
    formulas.NOTATION,
)
"""Short notations that the page of the families has once."""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as common renderers make them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", without_code(text_of(page)), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = (
            c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LNM"
        )
        found.add("".join(kept).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(without_code(text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_the_map_names_every_page() -> None:
    linked = {target.partition("#")[0] for target in LINK.findall(text_of(DOCS / "index.md"))}
    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} - linked == set()


# ---------------------------------------------------------------- the command line


def commands() -> dict[str, argparse.ArgumentParser]:
    parser = command_line._parser()
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def section(page: Path, title: str) -> str:
    """The text below a heading of the second level, up to the next one."""
    _, found, rest = text_of(page).partition(f"\n## {title}\n")
    assert found, f"{page.name} has no section {title}"
    return rest.partition("\n## ")[0]


def first_column(text: str) -> list[str]:
    """The code spans in the first cells of all table rows."""
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [span for row in rows for span in re.findall(r"`([^`]+)`", row)]


def test_every_command_is_described_and_exists() -> None:
    overview = text_of(DOCS / "command-line.md").partition("\n## ")[0]
    assert first_column(overview) == list(commands())


@pytest.mark.parametrize("name", commands())
def test_every_option_is_described_and_exists(name: str) -> None:
    described = [o for o in first_column(section(DOCS / "command-line.md", name)) if o[0] == "-"]
    real = [
        f"{action.option_strings[-1]} {action.metavar}"
        if action.metavar
        else action.option_strings[-1]
        for action in commands()[name]._actions
        if action.option_strings and "--help" not in action.option_strings
    ]
    assert sorted(described) == sorted(real)


def bench_options() -> set[str]:
    """The options of scripts that measure, from their text: they are no modules of a package."""
    names = ("bench_decide", "measure_open")
    text = "".join(text_of(ROOT / "scripts" / f"{name}.py") for name in names)
    return set(re.findall(r'add_argument\(\s*"(--[a-z][a-z-]+)"', text))


def test_no_page_mentions_an_option_that_does_not_exist() -> None:
    real = {s for parser in commands().values() for a in parser._actions for s in a.option_strings}
    real |= {"--version"} | bench_options()
    mentioned = {
        (page.name, option)
        for page in PAGES
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text_of(page))
    }
    assert {(page, option) for page, option in mentioned if option not in real} == set()


def keys_described(command: str) -> set[str]:
    described = section(DOCS / "command-line.md", command).partition("JSON object")[2]
    return set(first_column(described))


def test_json_keys_are_those_described() -> None:
    instance = load(ROOT / "instances" / "library" / "xor-2-relu.erm.json")
    assert keys_described("solve") == set(Answer("unknown", None, 0.0).to_json())
    assert keys_described("verify") == set(Verdict(None, None, (), "none", None).to_json())
    theta = {"W1": [[1, 0], [0, 1]], "b1": [0, 0], "W2": [[1, 1]], "b2": [0]}
    every = ermbit.gradient(instance, theta).to_json()
    single = ermbit.gradient(instance, theta, parameter="b2[0]").to_json()
    assert keys_described("gradient") == set(every) | set(single)
    info = set(describe(instance)) - {"layers"}
    assert keys_described("info") == info


def test_engines_are_those_described() -> None:
    overview = text_of(DOCS / "engines.md").partition("\n## ")[0]
    assert first_column(overview) == list(registry.NAMES)


# ---------------------------------------------------------------- tables made from the code


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def input_limits_table() -> str:
    return table(
        ["limit", "value", "unit", "of"],
        [[f"`{x.name}`", f"{x.value:,}", x.unit or "", x.help] for x in limits.ALL],
    )


def legal_range(option: Option) -> str:
    if option.low is None:
        return "any"
    low = f"{option.low:,}"
    return f"at least {low}" if option.high is None else f"{low} to {option.high:,}"


def options_table() -> str:
    return table(
        ["option", "default", "legal values", "meaning"],
        [
            [
                f"`--{o.name} {o.unit}`",
                o.otherwise if o.default is None else str(o.default),
                legal_range(o),
                o.help,
            ]
            for o in SEARCH
        ],
    )


def legal(parameter: FamilyParameter) -> str:
    if parameter.choices:
        return ", ".join(f"`{choice}`" for choice in parameter.choices)
    if parameter.type == "flag":
        return "`yes`, `no`"
    low, high = parameter.low, parameter.high
    if low is not None and high is not None:
        return f"{parameter.type}, {low} to {high}"
    return parameter.type if low is None else f"{parameter.type}, at least {low}"


def meaning(parameter: FamilyParameter) -> str:
    text = parameter.help
    for notation in NOTATIONS:
        text = text.removesuffix(f": {notation}")  # the page has the notations once
    return text


def families_text() -> str:
    parts = []
    for family in families().values():
        rows = [
            [f"`{p.name}`", f"`{p.default}`", legal(p), meaning(p)]
            for p in family.parameters
        ]
        parts.append(
            f"## {family.name}\n\n{family.summary[0].upper()}{family.summary[1:]}.\n\n"
            f"Source: {family.source}.\n\n"
            + table(["parameter", "default", "legal values", "meaning"], rows)
        )
    return "\n\n".join(parts)


@pytest.mark.parametrize("wanted", [input_limits_table, options_table], ids=lambda f: f.__name__)
def test_limits_are_those_of_the_code(wanted: Any) -> None:
    assert wanted() in text_of(DOCS / "limits.md")


def test_other_limits_are_those_of_the_code() -> None:
    row = re.compile(r"^\| `([\w.]+)\.([A-Z_]+)` \| ([\d,]+) \|", re.MULTILINE)
    rows = row.findall(text_of(DOCS / "limits.md"))
    assert len(rows) >= 10
    for module, name, value in rows:
        assert getattr(importlib.import_module(module), name) == int(value.replace(",", "")), name


def test_families_are_those_of_the_register() -> None:
    assert families_text() in text_of(DOCS / "families.md")


def test_every_family_says_where_its_status_comes_from() -> None:
    page = text_of(DOCS / "families.md").partition("**Where the status comes from.**")[2]
    grounds, _, rest = page.partition("\n\nWhere these grounds do not settle it")
    cells = re.findall(r"^\| ([a-z][\w, ]*) \|", grounds, re.MULTILINE)
    told = [name for cell in cells if cell != "family" for name in cell.split(", ")]
    told += re.findall(r"`(\w+)` always is", rest.partition("\n## ")[0])
    assert sorted(told) == sorted(families())


SECTIONS = {
    ("subset_sum", "linear"): "1A", ("subset_sum", "abs"): "1B", ("subset_sum", "tied"): "1C",
    ("subset_sum", "step"): "1D",
    ("set_splitting", "frozen"): "2A", ("set_splitting", "free"): "2B",
    ("coloring", "plain"): "3A", ("coloring", "bias"): "3B", ("coloring", "free"): "3C",
    ("vertex_cover_relu", None): "4", ("vertex_cover_halfspace", None): "5",
    ("one_in_three", "abs"): "6A", ("one_in_three", "tied"): "6A", ("loading", "masked"): "6B",
    ("one_in_three", "one_sample"): "6C", ("loading", "one_sample"): "6C",
    ("one_in_three", "relu"): "6D", ("posslp", None): "7", ("permanent", None): "8",
    ("irrational", "tower"): "9A", ("irrational", "shared"): "9B", ("irrational", "own"): "9C",
    ("sum_of_square_roots", "direct"): "10A", ("sum_of_square_roots", None): "10B",
}  # fmt: skip
"""Family and form → section of docs/reductions.md; None: every other form."""


def test_the_library_has_every_reduction() -> None:
    """The page says so of 1A to 10B, and names the families that write them."""
    page = text_of(DOCS / "reductions.md")
    assert "holds instances of all of them, 1A to 10B" in " ".join(page.split())
    described = set(re.findall(r"^\*\*(\d+[A-D])[^\w]", page, re.MULTILINE))
    described |= {n for n in re.findall(r"^## (\d+)\. ", page, re.MULTILINE) if n in "4578"}
    assert described == set(SECTIONS.values())
    intro = page.partition("\n## ")[0]
    assert [family for family, _ in SECTIONS if f"`{family}`" not in intro] == []
    found = set()
    with (ROOT / "instances" / "library" / "index.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["parameters"]:
                form = json.loads(row["parameters"]).get("form")
                family = row["family"]
                found.add(SECTIONS.get((family, form)) or SECTIONS.get((family, None)))
    assert found - {None} == set(SECTIONS.values())


def test_names_of_the_format_are_described() -> None:
    page = text_of(DOCS / "format.md")
    for title, names in (
        ("### Activations", ACTIVATIONS),
        ("### Loss", LOSSES),
        ("### Weights and domains", FLOAT_FORMATS),
    ):
        part = page.partition(f"\n{title}\n")[2].partition("\n### ")[0]
        assert [name for name in names if f"`{name}`" not in part] == []
    reductions = page.partition("## The question")[2].partition("\n## ")[0]
    assert tuple(first_column(reductions)) == REDUCTIONS


def test_sizes_of_domains_in_the_theory() -> None:
    page = text_of(DOCS / "theory.md")
    assert "B = 2: 15, B = 8: 79,279" in page
    assert (RationalDomain(2).size, RationalDomain(8).size) == (15, 79279)
    sizes = {name: FloatDomain(form).size for name, form in FLOAT_FORMATS.items()}
    assert "e4m3 (OCP \"FN\") 253" in " ".join(page.split())
    assert (sizes["fp8_e4m3"], sizes["fp8_e5m2"]) == (253, 247)


# ---------------------------------------------------------------- examples


def examples(kind: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for page in PAGES:
        for language, code in FENCE.findall(text_of(page)):
            if language == "json":
                document = json.loads(code, parse_float=str)
                if document.get("format") == f"ermbit-{kind}":
                    found.append((f"{page.stem}-{document.get('name', kind)}", document))
    return found


INSTANCES = examples("instance")


def named(name: str) -> Instance:
    (document,) = (document for title, document in INSTANCES if title == name)
    return parse_instance(document)


def test_there_are_examples() -> None:
    assert len(INSTANCES) >= 7


@pytest.mark.parametrize("document", [d for _, d in INSTANCES], ids=[n for n, _ in INSTANCES])
def test_example_has_the_stated_answer(document: dict[str, Any]) -> None:
    instance = parse_instance(document)
    assert ermbit.solve(instance).status == instance.meta["status"]


def test_example_certificate_solves_the_example() -> None:
    ((_, certificate),) = examples("certificate")
    verdict = ermbit.verify(named("format-xor-2h"), certificate)
    assert verdict.accepted
    assert verdict.loss == 0


def test_golden_ratio_is_the_solution_of_its_example() -> None:
    root = "(root-of-with-interval (coeffs (- 1) (- 1) 1) (- 1) 0)"
    assert ermbit.verify(named("reductions-golden-ratio"), {"a": root, "b": root}).accepted


def test_example_of_an_error_message() -> None:
    document = dict(INSTANCES[0][1])
    layers = [{"units": 0, "activation": "relu"}, {"units": 1, "activation": "identity"}]
    document["network"] = {"inputs": 2, "layers": layers}
    with pytest.raises(ermbit.InputError) as error:
        parse_instance(document)
    assert f"xor.erm.json: {error.value}" in text_of(DOCS / "format.md")


def test_example_of_squared_loss_on_a_cell_boundary() -> None:
    # docs/theory.md D7: the optimum 62/61 lies on z(2) = 0.
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "layers": [
                {"units": 1, "activation": "relu"},
                {"units": 1, "activation": "identity", "bias": False},
            ],
        },
        "weights": {"domain": "real"},
        "data": {"x": [[-4], [-3], [2]], "y": [[-1], [-1], [1]]},
        "loss": {"name": "squared", "reduction": "sum"},
    }
    theta = {"W1": [["-11/61"]], "b1": ["22/61"], "W2": [[-1]]}
    assert "62/61" in text_of(DOCS / "theory.md")
    assert ermbit.verify(parse_instance(document), theta).loss == mpq(62, 61)


def test_python_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    codes = [
        code for page in PAGES for language, code in FENCE.findall(text_of(page))
        if language == "python"
    ]
    assert codes
    for code in codes:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "example", "exec"), {})
        assert printed.getvalue()


# ---------------------------------------------------------------- the texts themselves


def test_sections_that_docstrings_cite_exist() -> None:
    page = text_of(DOCS / "theory.md")
    cited = set()
    for folder in ("instances", "encodings", "solver"):
        for path in (ROOT / folder).rglob("*.py"):
            for match in re.findall(
                r"docs/theory\.md ([A-K]\d+(?:(?:, |–| and )[A-K]\d+)*)", text_of(path)
            ):
                cited |= set(re.findall(r"[A-K]\d+", match))
    assert cited
    assert {name for name in cited if f"\n### {name}. " not in page} == set()


def test_modules_that_pages_name_exist() -> None:
    missing = []
    for page in PAGES:
        for name in re.findall(r"`(ermbit(?:_\w+)?(?:\.\w+)+)`", text_of(page)):
            module, _, attribute = name.rpartition(".")
            try:
                importlib.import_module(name)
            except ImportError:
                if not hasattr(importlib.import_module(module), attribute):
                    missing.append((page.name, name))
    assert missing == []
