"""Feature matrices on disk between runs: files of a budget, each whole or not used.

They stand in ``matrices`` beside the compiled kernels, named by what they were made of. A file is
written under another name and then renamed, so that no reader sees half of one; of two processes
that write the same one the later wins, with the same bytes. What a crash or a disk tears shows in
the length or in the sums of its pages: such a file goes, with a warning, and its matrix is computed
again. (The folder is its owner's alone, so that nobody is to be kept from forging sums; SHA-256 of
all bytes would take longer than to read them.) Nothing waits for the disk (``fsync``): a cache may
lose what it kept, it may not be wrong.

Beyond the budget the files that were read or written longest ago go first. A process that reads one
of them keeps what it has opened. A file that is being written takes its room from the first moment,
so that processes that write at once see each other; one that finds no room for its own gives up.

A folder that is another user's, that everybody may write to, or that cannot be read or written is
not used, and a full disk keeps nothing: a line in the log, and the run goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import cache_root, why_unusable
from alphaseeker.market.array_file import release

__all__ = ["MatrixStore", "clear_matrices", "matrix_folder", "store_status"]

logger = logging.getLogger(__name__)

Arrays = Sequence[npt.NDArray[Any]]

LARGEST_SHARE = 0.5
"""Of the budget: a larger file would drive out all others, and be driven out by them."""

_FOLDER = "matrices"
_SUFFIX = ".features"
_WRITING = "writing-"
_ABANDONED_S = 3_600.0
_HEAD = struct.Struct("<16sqq")  # what it is, rows, columns
_MAGIC = b"alphaseeker fm 1"
_DIGEST_BYTES = 32
_NUMBER_BYTES = 4
_PAGE = 4_096  # bytes: what a system loses, it loses by pages
_AT_ONCE = 2_048 * _PAGE
_MB = 1_000_000


def matrix_folder() -> tuple[Path | None, str]:
    """Return the folder of the matrices, made where it is not there, or None and why not."""
    try:
        root = cache_root()
    except RuntimeError as error:
        return None, f"no home folder ({error})"
    for place in (root, root / _FOLDER):
        reason = why_unusable(place)
        if reason is not None:
            return None, reason
    folder = root / _FOLDER
    if not os.access(folder, os.R_OK):
        return None, f"{folder} is not readable"  # nobody could say what it takes, or clear it
    return folder, ""


def _files(folder: Path, pattern: str) -> list[tuple[float, int, Path]]:
    """Return last use, bytes and path of files; what vanishes meanwhile is left out."""
    found = []
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, status.st_size, path))
    return sorted(found)


def _kept(folder: Path) -> list[tuple[float, int, Path]]:
    """Return last use, bytes and path of every matrix."""
    return _files(folder, f"*{_SUFFIX}")


def _being_written(folder: Path) -> int:
    """Return the bytes of the matrices that are not whole yet."""
    return sum(size for _, size, _ in _files(folder, f"{_WRITING}*"))


def clear_matrices() -> int:
    """Delete all feature matrices on disk and return how many went."""
    folder, _ = matrix_folder()
    if folder is None:
        return 0
    _remove_abandoned(folder)
    gone = 0
    for _, _, path in _kept(folder):
        with contextlib.suppress(OSError):
            path.unlink()
            gone += 1
    return gone


def store_status(budget: float) -> tuple[bool, str]:
    """Say whether matrices can be kept where they are to be, and in a sentence how they are.

    Parameters
    ----------
    budget
        Bytes; 0 where none are to be kept.
    """
    if budget <= 0:
        return True, "feature matrices are not kept (DISK_CACHE_MB, ENABLE_CACHING)"
    folder, reason = matrix_folder()
    if folder is None:
        return False, f"feature matrices are not kept: {reason}"
    kept = _kept(folder)
    size = sum(one for _, one, _ in kept) + _being_written(folder)
    return True, (
        f"{len(kept)} feature matrices take {size / _MB:,.0f} of {budget / _MB:,.0f} MB in {folder}"
    )


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for path in folder.glob(f"{_WRITING}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def _bytes_of(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of an array whose rows, or whose columns, stand together; no copy."""
    flat: npt.NDArray[Any] = (array if array.flags.c_contiguous else array.T).reshape(-1)
    return flat.view(np.uint8)


class _Checksum:
    """SHA-256 of the sums of all pages, in their order, behind a beginning that is hashed whole."""

    def __init__(self, beginning: bytes) -> None:
        self._digest = hashlib.sha256(beginning)

    def update(self, piece: npt.NDArray[np.uint8]) -> None:
        """Take the next bytes: whole pages, and what is left at the end of an array."""
        whole = len(piece) // _PAGE * _PAGE
        pages = piece[:whole].view(np.uint64).reshape(-1, _PAGE // 8)
        self._digest.update(pages.sum(axis=1, dtype=np.uint64).data)
        self._digest.update(piece[whole:].data)

    def value(self) -> bytes:
        """Return the checksum of what was taken, 32 bytes."""
        return self._digest.digest()


def _pieces(arrays: Arrays) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield all bytes of ``arrays``, a few at a time; what was touched of a file is given back."""
    for array in arrays:
        whole = _bytes_of(array)
        for start in range(0, len(whole), _AT_ONCE):
            yield whole[start : start + _AT_ONCE]
            release(array)


class MatrixStore:
    """The matrices on disk, within a budget.

    Parameters
    ----------
    budget
        Bytes that all files may take together.
    """

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._told = ""
        self._usable_folder()

    def _usable_folder(self) -> Path | None:
        """Return the folder, made anew where it was removed; None, which the log tells once."""
        folder, reason = matrix_folder()
        if reason and reason != self._told:
            logger.warning("feature matrices are not kept between runs: %s", reason)
        self._told = reason
        return folder

    def read(
        self, name: str, columns: int, allocate: Callable[[int], list[npt.NDArray[Any]]]
    ) -> list[npt.NDArray[Any]] | None:
        """Return the arrays kept under a name; None where there are none, or none that are whole.

        Parameters
        ----------
        name
            Says all that the arrays follow from.
        columns
            Of the matrix, whose numbers take 4 bytes.
        allocate
            Returns room for so many rows, in the dtypes and the order that were written.
        """
        folder = self._usable_folder()
        if folder is None:
            return None
        path = folder / f"{name}{_SUFFIX}"
        try:
            # To open what is no file, a pipe, might wait for ever.
            with open(path, "rb", buffering=0, opener=_open_at_once) as file:
                status = os.fstat(file.fileno())
                if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
                    return None
                found = _read(file, name, columns, allocate)
                if found is not None:
                    with contextlib.suppress(OSError):
                        os.utime(file.fileno())  # used just now
                    return found
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("the feature matrix %s cannot be read: %s", path, error.strerror)
            return None
        logger.warning("the feature matrix %s is damaged and is computed again", path)
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def write(self, name: str, columns: int, arrays: Arrays) -> None:
        """Keep arrays under a name; where that cannot be, the log says why.

        Parameters
        ----------
        name, columns
            As for ``read``.
        arrays
            Each with its rows, or its columns, standing together.
        """
        size = _HEAD.size + sum(array.nbytes for array in arrays) + _DIGEST_BYTES
        folder = self._usable_folder()
        if folder is None:
            return
        if size > LARGEST_SHARE * self._budget:
            logger.info(
                "a feature matrix of %.0f MB is not kept: it takes more than half of the %.0f MB "
                "of DISK_CACHE_MB",
                size / _MB,
                self._budget / _MB,
            )
            return
        try:
            _remove_abandoned(folder)
            self._make_room(folder, size)  # on the disk, too, of which the old ones may take all
            room = os.statvfs(folder)
            if room.f_bavail * room.f_frsize < 2 * size:
                # What the run itself needs of the disk comes first.
                logger.warning(
                    "a feature matrix of %.0f MB is not kept: little space in %s",
                    size / _MB,
                    folder,
                )
                return
            if not _write(folder, name, columns, arrays, size, self._make_room):
                logger.info(
                    "a feature matrix of %.0f MB is not kept: others that are being written take "
                    "the %.0f MB of DISK_CACHE_MB",
                    size / _MB,
                    self._budget / _MB,
                )
        except OSError as error:
            logger.warning(
                "a feature matrix of %.0f MB cannot be kept in %s: %s",
                size / _MB,
                folder,
                error.strerror,
            )

    def _make_room(self, folder: Path, more: int = 0) -> bool:
        """Delete the matrices used longest ago until all are within the budget, and say if so.

        Those that are being written count, and ``more`` bytes that are yet to be.
        """
        kept = _kept(folder)
        total = more + _being_written(folder) + sum(one for _, one, _ in kept)
        for _, one, path in kept:
            if total <= self._budget:
                break
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                total -= one
        return total <= self._budget


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _read(
    file: Any, name: str, columns: int, allocate: Callable[[int], list[npt.NDArray[Any]]]
) -> list[npt.NDArray[Any]] | None:
    """Return what a file holds; None where it is not what was written."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, rows, held = _HEAD.unpack(head)
    if magic != _MAGIC or held != columns or rows < 0:
        return None
    # A torn head may ask for more room than there is.
    if rows * max(1, _NUMBER_BYTES * columns) > os.fstat(file.fileno()).st_size:
        return None
    arrays = allocate(rows)
    size = _HEAD.size + sum(array.nbytes for array in arrays) + _DIGEST_BYTES
    if os.fstat(file.fileno()).st_size != size:
        return None
    checksum = _Checksum(name.encode() + head)
    for piece in _pieces(arrays):
        done = 0
        while done < len(piece):
            read = file.readinto(piece[done:])
            if not read:
                return None
            done += read
        checksum.update(piece)
    return arrays if file.read(_DIGEST_BYTES) == checksum.value() else None


def _write(
    folder: Path,
    name: str,
    columns: int,
    arrays: Arrays,
    size: int,
    make_room: Callable[[Path], bool],
) -> bool:
    """Write a file of its owner's alone, and give it its name once it is whole.

    False where ``make_room``, which is asked once the file takes its room, finds none for it.
    """
    descriptor, made = tempfile.mkstemp(prefix=_WRITING, dir=folder)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            # A full disk shows here, before anything is written.
            os.posix_fallocate(file.fileno(), 0, size)
            if not make_room(folder):
                Path(made).unlink()
                return False
            head = _HEAD.pack(_MAGIC, len(arrays[0]), columns)
            checksum = _Checksum(name.encode() + head)
            _write_all(file, np.frombuffer(head, dtype=np.uint8))
            for piece in _pieces(arrays):
                checksum.update(piece)
                _write_all(file, piece)
            _write_all(file, np.frombuffer(checksum.value(), dtype=np.uint8))
        Path(made).rename(folder / f"{name}{_SUFFIX}")
        return True
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise


def _write_all(file: Any, piece: npt.NDArray[np.uint8]) -> None:
    done = 0
    while done < len(piece):
        done += file.write(piece[done:].data)
