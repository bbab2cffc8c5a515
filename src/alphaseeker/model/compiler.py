"""Compiles C source into a shared library with the system's compiler.

Generated trees are branches and constants, so a compiler finds little in them to improve. Measured
with gcc 12 for 100 rounds of 3 trees of 31 leaves, 232 features, in 8 units: processor seconds to
compile, and microseconds a row for consecutive and for unrelated rows, all of them bit-equal::

    -O0   2.3   2.0   2.7
    -O1   3.8   1.4   2.0   taken
    -O2   6.1   1.1   1.9
    -Os   6.5   1.6   2.2

In one unit ``-O1`` takes as many processor seconds, on one processor alone.

No flag may change a sum: no fast mathematics, and no fused multiplication and addition.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from alphaseeker.errors import ModelError

__all__ = [
    "COMPILE_TIMEOUT_S",
    "FLAGS",
    "Compiler",
    "Progress",
    "compile_library",
    "find_compiler",
    "library_suffix",
]

COMPILE_TIMEOUT_S = 120.0
"""Seconds that all units of a model and their link may take together."""

FLAGS = ("-std=c99", "-O1", "-fPIC", "-ffp-contract=off", "-fno-fast-math", "-w")
"""Flags for every unit."""

# Calls from unit to unit must not be caught by a function of the same name elsewhere.
_LINK_FLAGS = ("-shared",) if sys.platform == "darwin" else ("-shared", "-Wl,-Bsymbolic")

_NAMES = ("cc", "gcc", "clang")
_VERSION_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 1.0
_LONGEST_PAUSE_S = 0.02
_MESSAGE_LINES = 5
_LINE_LENGTH = 200

Progress = Callable[[str, int, int], None]
"""Called as ``on_progress(stage, done, total)``; stages are ``compile`` and ``link``."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    Attributes
    ----------
    command
        The program and the arguments that always go with it.
    version
        What it says of itself.
    """

    command: tuple[str, ...]
    version: str

    @property
    def identity(self) -> tuple[str, ...]:
        """All that what it makes of a source depends on."""
        return (*self.command[1:], self.version, *FLAGS, *_LINK_FLAGS)


def library_suffix() -> str:
    """Return the ending of a shared library's name on this system."""
    return ".dylib" if sys.platform == "darwin" else ".so"


def find_compiler() -> Compiler:
    """Return the compiler that the variable CC names, else the first of cc, gcc and clang.

    Raises
    ------
    ModelError
        There is none, CC cannot be read, the compiler does not tell its version, or there is no
        temporary folder for what it says.
    """
    named = os.environ.get("CC", "").strip()
    if named:
        try:
            command = tuple(shlex.split(named))
        except ValueError as error:
            raise ModelError(f"CC is {named!r}, which cannot be read: {error}") from error
        found = shutil.which(command[0]) if command else None
        if found is None:
            raise ModelError(f"CC is {named!r}, but there is no such program; correct or unset it")
        return _asked((found, *command[1:]))
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return _asked((found,))
    raise ModelError(
        f"no C compiler was found; install one of {', '.join(_NAMES)}, or name one in CC"
    )


def _asked(command: tuple[str, ...]) -> Compiler:
    try:
        with tempfile.TemporaryDirectory(prefix="alphaseeker-") as folder:
            log = Path(folder) / "version.log"
            jobs = _Jobs(_VERSION_TIMEOUT_S, Path(folder))
            with jobs:
                jobs.run([*command, "--version"], log)
            said = log.read_text(errors="replace").strip()
    except OSError as error:
        raise ModelError(
            f"the C compiler {command[0]} needs a temporary folder: {error.strerror or error}; make"
            " room there, or name another in TMPDIR"
        ) from error
    if not said:
        raise ModelError(f"the C compiler {command[0]} does not tell its version; name one in CC")
    return Compiler(command, said)


class _Jobs:
    """Runs programs from several threads for a time; none is left running at its end."""

    def __init__(self, timeout_s: float, folder: Path) -> None:
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._folder = folder
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _kill(process)

    def run(self, command: Sequence[str], log: Path) -> None:
        """Run one program to its end; what it says goes to a file, as a pipe may be kept open."""
        try:
            with log.open("wb") as said, self._lock:
                if self._stopped:
                    raise ModelError("the compilation was given up")
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "LC_ALL": "C", "TMPDIR": str(self._folder)},
                    start_new_session=True,  # a compiler has children: all are ended together
                )
                self._running.add(process)
        except OSError as error:
            raise ModelError(f"the C compiler {command[0]} cannot be run: {error}") from error
        try:
            status = process.wait(max(self._deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"the C compiler {command[0]} was not done after {self._timeout_s:g} s; try again"
                " when the machine has less to do"
            ) from error
        finally:
            _kill(process)
            with self._lock:
                self._running.discard(process)
        if status != 0:
            raise ModelError(
                f"the C compiler {command[0]} failed with status {status}: {_first_lines(log)}"
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started, and wait for it and, for a time, for the others."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _await_group(process.pid)


def _await_group(group: int) -> None:
    """Wait until no member of a process group lives, as one that dies may still hold its files."""
    deadline = time.monotonic() + _END_TIMEOUT_S
    pause = 0.001
    while _lives(group) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2.0 * pause, _LONGEST_PAUSE_S)


def _lives(group: int) -> bool:
    """Say whether a process group has a living member; one that nobody waited for is none."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        processes = [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return True
    # A group of which nothing is to be seen there may be hidden.
    states = [state for name in processes for state in _state_in_group(name, group)]
    return not states or any(state not in "ZXx" for state in states)


def _state_in_group(name: str, group: int) -> Iterator[str]:
    """Give the state of a process, if it is a member of the group."""
    try:
        with open(f"/proc/{name}/stat", "rb") as told:
            # The name before the bracket may hold anything.
            state, _, its_group = told.read().rpartition(b")")[2].split()[:3]
        is_member = int(its_group) == group
    except (OSError, ValueError):  # it is gone, or this is another kind of /proc
        return
    if is_member:
        yield state.decode()


def _first_lines(log: Path) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"its message cannot be read ({error.strerror})"
    lines = [line.strip()[:_LINE_LENGTH] for line in text.splitlines() if line.strip()]
    return " | ".join(lines[:_MESSAGE_LINES]) or "it said nothing"


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _folder_for(output: Path) -> Iterator[Path]:
    """Return a folder beside ``output`` for sources and objects, removed at the end."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="objects-", dir=output.parent))
    except OSError as error:
        raise ModelError(f"{output.parent} cannot be written: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compile_library(
    sources: Mapping[str, bytes],
    output: Path,
    compiler: Compiler,
    *,
    num_threads: int | None = None,
    timeout_s: float | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Compile C source into the shared library ``output``.

    Parameters
    ----------
    sources
        File names to contents; the names that end in ``.c`` are compiled, side by side.
    output
        Where the library is written. Its folder also takes the temporary files.
    compiler
        From ``find_compiler``.
    num_threads
        Units compiled at once, at most as many as there are processors; None means as many.
    timeout_s
        Seconds for the whole; None means ``COMPILE_TIMEOUT_S``.
    on_progress
        Told of each unit; called in the caller's thread.

    Raises
    ------
    ModelError
        The compiler fails (with the first lines of what it says), is not done in time, or a file
        cannot be written. No process is left behind, and no temporary file.
    """
    timeout_s = COMPILE_TIMEOUT_S if timeout_s is None else timeout_s
    units = sorted(name for name in sources if name.endswith(".c"))
    wanted = _processors() if num_threads is None else min(num_threads, _processors())
    told = on_progress if on_progress is not None else _tell_nobody
    with _folder_for(output) as folder:
        try:
            for name, content in sources.items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise ModelError(f"the C source cannot be written: {error.strerror}") from error
        jobs = _Jobs(timeout_s, folder)
        # The jobs are stopped before the pool waits for its threads.
        with ThreadPoolExecutor(max(min(wanted, len(units)), 1), "compile") as pool, jobs:
            told("compile", 0, len(units))
            pending: set[Future[None]] = {
                pool.submit(
                    jobs.run,
                    [
                        *compiler.command,
                        *FLAGS,
                        "-c",
                        str(folder / name),
                        "-o",
                        f"{folder / name}.o",
                    ],
                    folder / f"{name}.log",
                )
                for name in units
            }
            try:
                _await_all(pending, told)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
            told("link", 0, 1)
            objects = [f"{folder / name}.o" for name in units]
            link = [*compiler.command, *_LINK_FLAGS, *objects, "-o", str(output), "-lm"]
            jobs.run(link, folder / "link.log")
            if not output.is_file():
                raise ModelError(
                    f"the C compiler {compiler.command[0]} wrote no library; name another in CC"
                )
            told("link", 1, 1)


def _await_all(pending: set[Future[None]], told: Progress) -> None:
    """Wait for all units and raise the first failure."""
    total = len(pending)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        told("compile", total - len(pending), total)


def _tell_nobody(stage: str, done: int, total: int) -> None:
    return None
