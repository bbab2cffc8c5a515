"""Arrays in a file that has no name: too large for memory, and gone when the process ends.

The operating system keeps what is read and written often in memory of its own, which it takes back
where others need it. What a process has touched counts as its own until it is released.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import cache_root, why_unusable
from alphaseeker.errors import DataError

__all__ = [
    "GrowingArray",
    "file_array",
    "in_file",
    "release",
    "stored_like",
    "trim_memory",
]

Opened = TypeVar("Opened")

SCRATCH = "scratch"  # folder within the cache


def _folder() -> Path:
    """Return where the files stand: the cache, or the system's place for temporary files."""
    try:
        folder = cache_root() / SCRATCH
    except RuntimeError:
        return Path(tempfile.gettempdir())
    unusable = why_unusable(folder.parent) or why_unusable(folder)
    return Path(tempfile.gettempdir()) if unusable else folder


def _opened(size: int) -> Any:
    """Return a file of ``size`` bytes, all of which the disk has set aside."""
    file = None
    try:
        file = _unnamed()
        # Without this a full disk would show when a page is written, as a signal that kills.
        if size:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if file is not None:
            file.close()
        raise _no_room(size, error) from error
    return file


def _unnamed() -> Any:
    """Open a file that has no name from its first moment on: nobody need delete it."""
    return _with_files(lambda: tempfile.TemporaryFile(dir=_folder(), buffering=0))


def _mapped(file: Any, size: int) -> mmap.mmap:
    return _with_files(lambda: mmap.mmap(file.fileno(), size))


def _with_files(act: Callable[[], Opened]) -> Opened:
    """Return what ``act`` opens, with as many files open as the system lets the process have."""
    try:
        return act()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        # One a symbol: by default a process may have fewer than the system would let it.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return act()


def _no_room(size: int, error: OSError) -> DataError:
    return DataError(
        f"{size / 1e6:,.0f} MB do not fit into a temporary file in {_folder()} "
        f"({error.strerror}): free space there, point ALPHASEEKER_CACHE_DIR at another disk, or "
        "raise MATRIX_MEMORY_MB where there is memory enough"
    )


def file_array(
    shape: Sequence[int], dtype: npt.DTypeLike, *, order: Literal["C", "F"] = "C"
) -> npt.NDArray[Any]:
    """Return an array of zeros that stands in a file of its own without a name.

    Raises
    ------
    DataError
        The disk has no room for it.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size == 0:
        return np.zeros(tuple(shape), dtype=dtype, order=order)
    with _opened(size) as file:
        return np.ndarray(tuple(shape), dtype, _mapped(file, size), order=order)


def _map_of(array: npt.NDArray[Any]) -> mmap.mmap | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) else None


def in_file(array: npt.NDArray[Any]) -> bool:
    """Say whether ``array``, or what it is a view of, stands in a file."""
    return _map_of(array) is not None


def release(array: npt.NDArray[Any]) -> None:
    """Give back the memory through which the whole file of ``array`` was read and written.

    Nothing is lost: what was written stays with the file. An array in memory stays as it is.
    """
    mapped = _map_of(array)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


def stored_like(values: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``values``, moved to a file of their own where ``other`` stands in one."""
    if not in_file(other) or in_file(values):
        return values
    moved = file_array(values.shape, values.dtype)
    moved[...] = values
    release(moved)
    return moved


def trim_memory() -> None:
    """Give the system back what was freed: the C library keeps it, and it counts as in use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc's
        trim(0)


class GrowingArray:
    """Pieces put one behind another, in memory until ``spill`` moves them to a file."""

    def __init__(self) -> None:
        self._pieces: list[npt.NDArray[Any]] = []
        self._rows = 0
        self._written = 0
        self._file: Any = None
        self.held = 0
        """Bytes in memory."""

    def __len__(self) -> int:
        return self._rows

    def append(self, piece: npt.NDArray[Any]) -> None:
        """Put a piece behind those before it; all have one dtype and, the first axis apart, shape.

        Raises
        ------
        DataError
            The disk is full.
        """
        self._pieces.append(piece)
        self._rows += len(piece)
        self.held += piece.nbytes
        if self._file is not None:
            self.spill()

    def spill(self) -> None:
        """Move what is in memory to the file, where all later pieces go too.

        Raises
        ------
        DataError
            The disk is full.
        """
        if self._file is None:
            self._file = _opened(0)
        for piece in self._pieces:
            data = np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data
            try:
                while len(data):
                    done = os.pwrite(self._file.fileno(), data, self._written)
                    data = data[done:]
                    self._written += done
            except OSError as error:
                raise _no_room(self._written + self.held, error) from error
        self._pieces = [self._pieces[-1][:0].copy()]  # keeps the form
        self.held = 0

    def joined(self) -> npt.NDArray[Any]:
        """Return everything as one array and forget it here; at least one piece must have come."""
        pieces, self._pieces = self._pieces, []
        if self._file is None:
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        with self._file as file:
            shape = (self._rows, *pieces[0].shape[1:])
            if self._written == 0:
                return np.empty(shape, pieces[0].dtype)
            return np.ndarray(shape, pieces[0].dtype, _mapped(file, self._written))
