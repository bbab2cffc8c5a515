"""Compiled models on disk: shared libraries that are named by what they were made of.

They stand in ``libraries`` beside the compiled kernels: ``NAME.so``, with its SHA-256 in
``NAME.sha256``. A library is built in a folder of its own, reaches the disk, and only then gets
its name, in one step and never over another file: what a process has loaded does not change under
it. Several processes that want the same library wait for the one that builds it.

A library whose checksum is not right, or that belongs to somebody else, is never loaded: it is
removed and built again. Removing takes the name alone, so a process that runs it is not disturbed.

Code from a folder that others can write to would be theirs, so a folder of another user, or one
that everybody can write to, is refused. So is one that cannot be written, and a full disk: nothing
is built elsewhere, since another predictor gives the same scores without a library.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from alphaseeker import _jit
from alphaseeker.errors import ModelError
from alphaseeker.model.compiler import COMPILE_TIMEOUT_S, library_suffix

__all__ = ["LOCK_TIMEOUT_S", "cached_library", "library_folder", "library_name"]

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_S = COMPILE_TIMEOUT_S + 30.0
"""Seconds to wait for another process that builds the same library."""

_LOCK_PAUSE_S = 0.05
_ABANDONED_S = 3_600.0
_BUILDING = "building-"
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_ADVICE = "free space there, or name a folder of your own in ALPHASEEKER_CACHE_DIR"


def library_name(parts: Sequence[bytes | str]) -> str:
    """Return the name of the library that is made of ``parts`` on this kind of machine.

    Parameters
    ----------
    parts
        All that shapes the library: its sources or what they follow from, the compiler's version,
        the flags.
    """
    digest = hashlib.sha256()
    for part in (*parts, platform.system(), platform.machine()):
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()[:40]


def library_folder() -> Path:
    """Return the folder of the libraries, made where it is not there.

    Raises
    ------
    ModelError
        It, or the folder it stands in, must not be used: says why.
    """
    try:
        root = _jit.cache_root()
    except RuntimeError as error:
        raise ModelError(f"compiled models cannot be kept: no home folder ({error})") from error
    folder = root / "libraries"
    for place in (root, folder):
        reason = _jit.why_unusable(place)
        if reason is not None:
            raise ModelError(
                f"compiled models cannot be kept: {reason}; name a folder of your own in"
                " ALPHASEEKER_CACHE_DIR"
            )
    return folder


def cached_library(
    name: str,
    build: Callable[[Path], None],
    *,
    lock_timeout_s: float | None = None,
) -> Path:
    """Return the path of a library, built if it is not there whole.

    Parameters
    ----------
    name
        From ``library_name``.
    build
        Writes the library to the path it is given, in a new and empty folder.
    lock_timeout_s
        Seconds to wait for another process or thread that builds it; None means
        ``LOCK_TIMEOUT_S``.

    Raises
    ------
    ModelError
        The folder must not be used, the disk is full, the wait was too long, or ``build`` raised
        it. No half-written file is left behind.
    """
    folder = library_folder()
    library = folder / f"{name}{library_suffix()}"
    checksum = folder / f"{name}.sha256"
    try:
        if _is_whole(library, checksum):
            return library
        wait_s = LOCK_TIMEOUT_S if lock_timeout_s is None else lock_timeout_s
        with _locked(folder / f"{name}.lock", wait_s):
            if not _is_whole(library, checksum):
                _remove(library, checksum)
                _remove_abandoned(folder)
                _build(library, checksum, build)
    except OSError as error:
        raise ModelError(
            f"the compiled model cannot be kept in {folder}: {error.strerror or error}; {_ADVICE}"
        ) from error
    return library


def _is_whole(library: Path, checksum: Path) -> bool:
    """Say whether a library is there, ours, and as it was built."""
    try:
        with library.open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return False
        return _digest_of(library) == checksum.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return False


@contextlib.contextmanager
def _locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the one lock of a library; the system frees it if the process ends."""
    deadline = time.monotonic() + timeout_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ModelError(
                        f"another process has been building the same library for {timeout_s:g} s;"
                        f" end it if it hangs (it holds {path})"
                    ) from None
            time.sleep(_LOCK_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _remove(library: Path, checksum: Path) -> None:
    if library.exists():
        logger.warning("the compiled model %s is damaged and is built again", library)
    library.unlink(missing_ok=True)
    checksum.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed while they built have left."""
    for path in folder.glob(f"{_BUILDING}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build(library: Path, checksum: Path, build: Callable[[Path], None]) -> None:
    work = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=library.parent))
    try:
        made, noted = work / library.name, work / checksum.name
        build(made)
        made.chmod(0o500)
        noted.write_text(_digest_of(made), encoding="ascii")
        _sync(made)
        _sync(noted)
        # The library comes last: where it is, its checksum is.
        _give_name(noted, checksum)
        _give_name(made, library)
        _sync(library.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _give_name(made: Path, path: Path) -> None:
    """Let a file appear whole under its name, which no file may have."""
    try:
        os.link(made, path)
    except OSError as error:
        if error.errno not in _NO_LINKS or path.exists():
            raise
        made.rename(path)  # the name is free, and the lock keeps it so


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
