"""Data sets: inline, CSV and NPZ give the same exact tables; paths stay inside the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq

from ermbit_instances.dataset import Dataset, read_dataset
from ermbit_instances.errors import InputError
from ermbit_instances.json_node import Node


def read(document: dict[str, Any], folder: Path | None = None, **options: Any) -> Dataset:
    return read_dataset(
        Node(document, "$.data", None), inputs=2, y_width=1, folder=folder, **options
    )


CSV = {"csv": "d.csv", "features": ["a", "b"], "target": ["y"]}
ROWS = ((mpq(1), mpq(1, 10)), (mpq(-3, 4), mpq(0)))


def test_three_sources_of_one_table(tmp_path: Path) -> None:
    inline = read({"x": [[1, "0.1"], ["-3/4", 0]], "y": [[2], ["1/3"]]})
    assert inline.x.rows == ROWS
    assert inline.weights == (1, 1)
    (tmp_path / "d.csv").write_text("y,b,a,c\n2,0.1,1,?\n1/3, 0 ,-3/4,\n\n", encoding="utf-8")
    listed = read(CSV, tmp_path)
    assert (listed.x.rows, listed.y.rows) == (inline.x.rows, inline.y.rows)
    np.savez(tmp_path / "d.npz", u=np.array([[1, 0.1], [-0.75, 0]]), v=np.array([2, 5]))
    floats = read({"npz": "d.npz", "x": "u", "y": "v"}, tmp_path)
    assert floats.x.rows == ((1, mpq(0.1)), (mpq(-3, 4), 0))
    assert floats.y.rows == ((2,), (5,))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x": [[1], [2]]}, "2 inputs"),
        ({"x": [[1, 2]]}, "rows"),
        ({"x": [], "y": []}, "no sample"),
        ({"x": [1, 2]}, "row"),
        ({"x": [[1, True], [1, 1]]}, ""),
        ({"y": [[1, 2], [3, 4]]}, "1 targets"),
        ({"z": 1}, "z"),
        ({"sample_weights": [1]}, "1 weights for 2"),
        ({"sample_weights": [1, -1]}, "negative"),
        ({"sample_weights": [0, 0]}, "all sample weights are zero"),
        ({"csv": "d.csv"}, ""),
    ],
)
def test_inline_data_that_are_refused(change: dict[str, Any], reason: str) -> None:
    document = {"x": [[1, 2], [3, 4]], "y": [[1], [2]]} | change
    with pytest.raises(InputError) as caught:
        read(document)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no header"),
        ("a,b\n1,2\n", "no column named 'y'"),
        ("a,b,y,a\n1,2,3,4\n", "more than one column named 'a'"),
        ("a,b,y\n1,2\n", "line 2: 2 fields"),
        ("a,b,y\n1,2,3\n1,,3\n", "line 3, column 'b'"),
        ("a,b,y\n1,nan,3\n", "is not a number"),
        ("a,b,y\n", "no sample"),
        ('a,b,y\n1,"2,3\n', "line"),
    ],
)
def test_csv_files_that_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(CSV, tmp_path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"u": np.zeros((2, 3)), "v": np.zeros(2)}, "2 are needed"),
        ({"u": np.zeros((2, 2)), "v": np.zeros(3)}, "rows"),
        ({"u": np.zeros((2, 2, 1)), "v": np.zeros(2)}, "dimensions"),
        ({"u": np.array([[1, np.nan]]), "v": np.zeros(1)}, "NaN"),
        ({"u": np.array([["a", "b"]]), "v": np.zeros(1)}, "not numbers"),
        ({"v": np.zeros(1)}, "d.npz: there is no array 'u', but v"),
    ],
)
def test_npz_files_that_are_refused(arrays: dict[str, Any], reason: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read({"npz": "d.npz", "x": "u", "y": "v"}, tmp_path)
    assert reason in str(caught.value)


def test_paths_do_not_leave_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    outside = tmp_path / "d.csv"
    outside.write_text("a,b,y\n1,2,3\n", encoding="utf-8")
    (inner / "link.csv").symlink_to(outside)
    for path in ("../d.csv", str(outside), "x/../../d.csv", "link.csv", "", ".", "./", "a\0b"):
        with pytest.raises(InputError):
            read(CSV | {"csv": path}, inner)
    with pytest.raises(InputError, match="in memory"):
        read(CSV)
    for path in ("../d.csv", str(outside), "link.csv"):
        assert len(read(CSV | {"csv": path}, inner, allow_external=True)) == 1


def test_the_origin_names_the_file_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b,y\n1,2,3\n", encoding="utf-8")
    first = read(CSV, tmp_path).origin
    path.write_text("a,b,y\n1,2,4\n", encoding="utf-8")
    second = read(CSV, tmp_path).origin
    assert first["csv"].startswith("sha256:")
    assert first != second
    assert first | {"csv": ""} == second | {"csv": ""}
