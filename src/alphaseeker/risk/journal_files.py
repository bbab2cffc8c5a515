"""The folder of a journal: its lock, its segments, and every write to them.

``lock`` is held by the one process that writes. ``format`` says that there has been a journal.
``00000001.journal`` and so on are segments: each begins with the whole state and is complete
under its name, because it is written under another one first; those before it are removed then.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import weakref
from pathlib import Path

from alphaseeker.errors import StateError

try:
    import fcntl
except ImportError:  # no such locks on this system
    fcntl = None  # type: ignore[assignment]

__all__ = ["JournalFiles"]

logger = logging.getLogger(__name__)

_SEGMENT = re.compile(r"(\d{8})\.journal")
_DAMAGED = ".damaged"
_MARK = b"alphaseeker risk journal 1\n"
_MODE = 0o600
_LOOK_EVERY = 64  # frames without a sync, after which the segment is looked for

_open_files: weakref.WeakSet[JournalFiles] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked child, let go of the journal: it and its lock are the parent's."""
    for files in _open_files:
        files.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


class JournalFiles:
    """The files of one journal, locked for this object alone.

    Parameters
    ----------
    folder
        Made where it is missing.

    Raises
    ------
    StateError
        Another manager holds the journal, in this process or in another one; the folder cannot
        be used; or the system has no file locks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.existed = False  # whether there has been a journal before
        self.length = 0  # of the sound part of the segment that is written to
        self.usable = False  # whether the next frame may be appended to it
        self.owner = os.getpid()
        self.left = False  # by a forked child
        self._number = 0
        self._unseen = 0  # frames since the segment was last looked for
        if fcntl is None:
            raise StateError(
                "a risk journal needs fcntl.flock, which this system does not have; leave "
                "JOURNAL_PATH at None, and use save_state and reconcile"
            )
        try:
            missing = [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in missing:
                _sync_folder(path.parent)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as error:
            raise StateError(
                f"the risk journal {folder} cannot be opened: {error.strerror}; JOURNAL_PATH must "
                "be a folder that this process may write to"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(lock, 100).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            here = " (this process)" if holder == f"process {self.owner}" else ""
            raise StateError(
                f"the risk journal {folder} is in use by {holder}{here}; end it, close() the "
                "manager that holds it, or give this one a JOURNAL_PATH of its own"
            ) from error
        # The lock's file and the segment that is written to; none after close.
        self.held = [lock]
        self._closing = weakref.finalize(self, _release, self.held)
        _open_files.add(self)
        try:
            os.ftruncate(lock, 0)
            os.write(lock, f"process {self.owner}\n".encode())
            self._look_around()
        except OSError as error:
            self.close()
            raise StateError(
                f"the risk journal {folder} cannot be opened: {error.strerror}"
            ) from error

    def _look_around(self) -> None:
        """Remember what was there, and clear away what was never finished."""
        names = os.listdir(self.folder)
        numbers = [int(found[1]) for name in names if (found := _SEGMENT.match(name))]
        self._number = max(numbers, default=0)
        self.existed = bool(numbers) or "format" in names
        for name in names:
            if name.endswith(".new"):
                os.unlink(self.folder / name)

    def segments(self) -> list[Path]:
        """Return the segments, the newest first."""
        names = [name for name in os.listdir(self.folder) if _SEGMENT.fullmatch(name)]
        return [self.folder / name for name in sorted(names, reverse=True)]

    def begin_segment(self, frame: memoryview, set_aside: frozenset[Path] = frozenset()) -> None:
        """Begin a new segment with ``frame`` and remove those before it, once it is durable.

        The caller then says that the segment is ``usable``.

        Parameters
        ----------
        frame
            A snapshot.
        set_aside
            Segments that are damaged: kept under another name.

        Raises
        ------
        OSError
            Something failed; the segment before stays as it was, or is no longer ``usable``.
        """
        self._look_for_lock()
        number = self._number + 1
        before, self.usable = self.usable, False
        path = self.folder / f"{number:08d}.journal"
        fresh = path.with_suffix(".new")
        descriptor = -1
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, _MODE)
            _write(descriptor, frame)
            os.fsync(descriptor)
            os.rename(fresh, path)
            self._number = number
            _sync_folder(self.folder)
            self._mark_format()
        except OSError:
            if descriptor >= 0:
                os.close(descriptor)
            # A restart may find a segment that has its name: the one before takes no more.
            self.usable = before and self._number < number
            self._number = number
            for name in (fresh, path):
                with contextlib.suppress(OSError):
                    os.unlink(name)
            raise
        for older in self.held[1:]:
            os.close(older)
        self.held[1:] = [descriptor]
        self.length = len(frame)
        self._remove_before(path, set_aside)

    def _mark_format(self) -> None:
        """Say, once, that there has been a journal in this folder."""
        path = self.folder / "format"
        if path.exists():
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, _MODE)
        try:
            os.write(descriptor, _MARK)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_folder(self.folder)

    def _remove_before(self, newest: Path, set_aside: frozenset[Path]) -> None:
        """Remove older segments; one that stays does no harm, the newest one counts."""
        for path in self.segments():
            if path == newest:
                continue
            with contextlib.suppress(OSError):
                if path in set_aside:
                    os.rename(path, path.with_name(path.name + _DAMAGED))
                else:
                    os.unlink(path)

    def append(self, frame: memoryview, *, sync: bool) -> None:
        """Append a frame; the caller then says that the segment is ``usable`` again.

        After an error that could be undone it is, as before; after any other it is not.

        Raises
        ------
        OSError
            It could not be written, or not be made durable.
        """
        segment = self.held[1]
        # An interrupt from the keyboard may come at any point of what follows.
        self.usable = False
        self._look_for_segment(sync=sync)
        try:
            written = os.write(segment, frame)
            if written < len(frame):
                _write(segment, frame[written:])
        except OSError:
            self.usable = self._cut_back()
            raise
        if sync:
            try:
                os.fsync(segment)
            except OSError:
                # What a failed sync left on disk is not known, and the next one may say nothing.
                self._cut_back()
                raise
        self.length += len(frame)

    def _look_for_lock(self) -> None:
        """Refuse to write where another process may by now: a lock without a name holds nobody."""
        try:
            there = os.path.samestat(os.stat(self.folder / "lock"), os.fstat(self.held[0]))
        except FileNotFoundError:
            there = False
        if not there:
            raise OSError(
                errno.ESTALE, "its folder or lock was removed or replaced; make a new RiskManager"
            )

    def _look_for_segment(self, *, sync: bool) -> None:
        """Refuse to write to a segment without a name, which no restart would find."""
        self._unseen += 1
        if sync or self._unseen >= _LOOK_EVERY:
            self._unseen = 0
            if os.fstat(self.held[1]).st_nlink == 0:
                raise OSError(errno.ENOENT, "its file was removed")

    def _cut_back(self) -> bool:
        """Remove what stands behind the sound part; return whether that could be done."""
        try:
            os.ftruncate(self.held[1], self.length)
        except OSError:
            return False
        return True

    def leave(self) -> None:
        """Close the files of a forked child: lock and journal stay with the parent."""
        self.left = bool(self.held) or self.left
        self._closing.detach()
        for descriptor in self.held:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.held.clear()

    def close(self) -> None:
        """Let go of lock and files; twice is once."""
        self._closing()


def _release(held: list[int]) -> None:
    """Close the files and give the lock back, though a forked child may still hold it open."""
    if held:
        with contextlib.suppress(OSError):
            fcntl.flock(held[0], fcntl.LOCK_UN)
    for descriptor in held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    held.clear()


def _write(descriptor: int, frame: memoryview) -> None:
    """Write all of ``frame``; a disk that is nearly full takes a part before it refuses."""
    written = os.write(descriptor, frame)
    while written < len(frame):
        written += os.write(descriptor, frame[written:])


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
