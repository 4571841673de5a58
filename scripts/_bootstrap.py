"""Makes or refreshes the virtual environment of this checkout.

Run by scripts/_bootstrap.sh when the stamp of .venv does not match, with any Python >= 3.11 and
the standard library alone: ``_bootstrap.py ROOT PROFILE CHECKSUMS``.

What may be found in ROOT/.venv, and what is done with it:

- nothing: an environment is made;
- one made here (it holds ``.ermbit-made``) with a stamp of this place: refreshed in place;
- one made here without a stamp (an installation was cut short) or moved from elsewhere: remade;
- a developer's own that works: installed into, never deleted.

The lock is an flock, which the kernel drops with its last holder, so a killed run leaves no stale
one. The installers inherit it: while one outlives a killed parent, the next run waits.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROFILES = {"run": ".", "dev": ".[dev]"}
BUILD_TOOLS = ("hatchling", "editables")
STAMP = ".ermbit-stamp"
MADE_HERE = ".ermbit-made"
PROBE = "import sys; print(*sys.version_info[:2])"


class BootstrapError(Exception):
    """The environment cannot be made; the text is one line for the user.

    ``output`` is what the failed command printed, shown in full before that line.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class Progress:
    """One line that is rewritten in place on a terminal; nothing anywhere else."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self.shown:
            print(f"\r\x1b[Kermbit: {text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Environment:
    """The folder .venv of one checkout, worked on under the lock ``lock`` (a file descriptor)."""

    def __init__(self, root: Path, lock: int, progress: Progress) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.lock = lock
        self.progress = progress

    def stamp(self) -> list[str]:
        """The lines of the stamp: checksums, profile, root; empty without one."""
        try:
            text = (self.folder / STAMP).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return []
        return text.split("\n")[:3]

    def prepare(self, profile: str, checksums: str) -> None:
        """Makes the environment serve ``profile``; the stamp is taken away first, set last."""
        stamp = self.stamp()
        stamped_here = stamp[2:] == [str(self.root)]
        if stamped_here and stamp[1] == "dev":
            profile = "dev"  # a refresh never drops what a developer has
        if stamped_here and stamp[0] == checksums and stamp[1] == profile and self.version():
            return  # another run did it while this one waited
        (self.folder / STAMP).unlink(missing_ok=True)
        version = self.version()
        if (self.folder / MADE_HERE).exists():
            keep = stamped_here and version is not None
        else:
            keep = version is not None
            if version is not None and version < (3, 11):
                raise BootstrapError(f"{self.folder} has Python older than 3.11: remove it")
            if version is None and self.is_foreign():
                raise BootstrapError(f"{self.folder} is not a virtual environment: remove it")
        if not keep:
            self.make()
        self.install(profile)
        lines = "\n".join((checksums, profile, str(self.root), ""))
        fresh = self.folder / f"{STAMP}.new"
        fresh.write_text(lines, encoding="utf-8", errors="surrogateescape")
        fresh.replace(self.folder / STAMP)

    def version(self) -> tuple[int, ...] | None:
        """Python's version in the environment, None where it does not run."""
        try:
            done = subprocess.run(
                [self.python, "-I", "-c", PROBE], capture_output=True, text=True, check=True
            )
            return tuple(int(part) for part in done.stdout.split())
        except (OSError, ValueError, subprocess.CalledProcessError):
            return None

    def is_foreign(self) -> bool:
        """Whether something stands here that is no remainder of a virtual environment."""
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            return True
        return (
            self.folder.is_dir()
            and not (self.folder / "pyvenv.cfg").exists()
            and any(self.folder.iterdir())
        )

    def make(self) -> None:
        """Makes an empty environment in place of whatever is left of an older one."""
        command = maker_command(self.folder)
        self.progress.say("making .venv")
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / MADE_HERE).touch()
        self.run(command)

    def install(self, profile: str) -> None:
        """Installs the checkout, editable, at the pinned versions.

        The build backend is installed first at its pin and used without build isolation, since an
        isolated build would fetch a version of its own.
        """
        installer = [*self.installer(), "--constraint", "constraints.txt"]
        self.progress.say("installing the build tools into .venv")
        self.run([*installer, *BUILD_TOOLS])
        self.progress.say("installing packages into .venv (this takes some minutes)")
        self.run([*installer, "--no-build-isolation", "--editable", PROFILES[profile]])
        if not (self.folder / "bin" / "ermbit").exists():
            raise BootstrapError(f"the installation left no command in {self.folder / 'bin'}")

    def installer(self) -> list[str]:
        """The start of an install command: pip of the environment (ensurepip's if none), or uv."""
        pip = [str(self.python), "-I", "-m", "pip"]
        ensurepip = [str(self.python), "-I", "-m", "ensurepip"]
        if self.works([*pip, "--version"]) or self.works(ensurepip):
            return [*pip, "install"]
        uv = shutil.which("uv")
        if uv is None:
            raise BootstrapError(f"{self.folder} has no pip: install pip into it, or install uv")
        # uv leaves compiling to the first import, where it may be forbidden for good.
        return [uv, "pip", "install", "--compile-bytecode", "--python", str(self.python)]

    def works(self, command: Sequence[str]) -> bool:
        try:
            self.run(command)
        except BootstrapError:
            return False
        return True

    def run(self, command: Sequence[str]) -> None:
        """Runs a command in the checkout; its output is kept and shown only if it fails."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(self.lock,),
            check=False,
        )
        if done.returncode != 0:
            output = done.stdout.decode("utf-8", "backslashreplace")
            raise BootstrapError(
                f"preparing {self.folder} failed (exit status {done.returncode} of"
                f" {Path(command[0]).name}, output above)",
                output,
            )


def maker_command(folder: Path) -> list[str]:
    """The command that makes an environment in ``folder`` with the running Python.

    venv where it is complete (distributions split ensurepip off), else virtualenv, else uv.

    Raises:
        BootstrapError: none of them is there.
    """
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        pass
    else:
        return [sys.executable, "-I", "-m", "venv", str(folder)]
    virtualenv = shutil.which("virtualenv")
    if virtualenv is not None:
        return [virtualenv, "--quiet", "--python", sys.executable, str(folder)]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "--quiet", "venv", "--allow-existing", "--python", sys.executable, str(folder)]
    raise BootstrapError(
        f"{sys.executable} has no venv and ensurepip: install python3-venv"
        " (or virtualenv, or uv) and run this again"
    )


def clean_environment() -> dict[str, str]:
    """The environment without what would make pip look at, or install into, other places."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    environment["PIP_USER"] = "0"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environment


def acquire(path: Path, progress: Progress) -> int:
    """Opens and locks the file ``path``; waits for another run that holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.say("waiting for another run that prepares .venv")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main(arguments: Sequence[str]) -> int:
    """``ROOT PROFILE CHECKSUMS``: 0 done, 2 impossible (said on standard error), 130 stopped."""
    root, profile, checksums = arguments
    progress = Progress()
    try:
        lock = acquire(Path(root) / ".venv.lock", progress)
        Environment(Path(root), lock, progress).prepare(profile, checksums)
    except BootstrapError as error:
        progress.clear()
        sys.stderr.write(error.output)
        print(f"ermbit: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        progress.clear()
        print(f"ermbit: cannot prepare {root}/.venv: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.clear()
        return 130
    progress.clear()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
