"""The peers' own virtual environment, ``.venv-peers`` in the checkout.

Made with pip from ``scripts/peers/requirements.txt`` on first use, and again when that changes.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
ROOT = SCRIPTS.parent
FOLDER = ROOT / ".venv-peers"
PYTHON = FOLDER / "bin" / "python"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
STAMP = FOLDER / ".made-from"


PACKAGES = {"cpsat": "ortools", "z3": "z3-solver", "cvc5": "cvc5", "highs": "highspy"}
"""The package of a peer, by the first part of the peer's name."""


def version(peer: str) -> str:
    """Of the package that a peer uses, as it is pinned."""
    lines = REQUIREMENTS.read_text(encoding="ascii").splitlines()
    pinned = dict(line.split("==", 1) for line in lines if "==" in line)
    return pinned[PACKAGES[peer.partition("-")[0]]]


def is_ready() -> bool:
    """Whether the environment stands, made from the present requirements."""
    try:
        return PYTHON.exists() and STAMP.read_text(encoding="ascii") == _checksum()
    except OSError:
        return False


def prepare() -> None:
    """Make the environment if it is not ready.

    Raises:
        OSError or subprocess.CalledProcessError: venv or pip failed; pip's own words are on
            standard error.
    """
    if is_ready():
        return
    print(f"ermbit: making {FOLDER.name} (some minutes)", file=sys.stderr, flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True, stdout=sys.stderr)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
    STAMP.write_text(_checksum(), encoding="ascii")


def _checksum() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
