"""Reading a model file without being led astray, and replacing one without losing the old."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from datetime import UTC, datetime
from pathlib import Path

from alphaseeker.errors import ModelError
from alphaseeker.model.plain_pickle import MAX_FILE_BYTES

__all__ = ["check_target", "read_model_bytes", "require_path", "write_model_bytes"]

# A FIFO opened without O_NONBLOCK waits for a writer for ever.
_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY

_HOW = {"model": "train one", "state": "save one with save_state"}


def require_path(path: object, *, name: str = "path", what: str = "model") -> None:
    """Refuse with a ModelError what is no path, or an empty one.

    Parameters
    ----------
    path
        What was given.
    name
        What the argument is called where it came from, for messages.
    what
        ``"model"`` or ``"state"``: what the file holds, for messages.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ModelError(f"{name} is {path!r}; it must be the path of a {what} file")


def _kind(mode: int) -> str:
    for name in ("DIR", "FIFO", "CHR", "BLK", "SOCK", "LNK"):
        if getattr(stat, f"S_IS{name}")(mode):
            return {
                "DIR": "a directory",
                "FIFO": "a FIFO",
                "CHR": "a device",
                "BLK": "a device",
                "SOCK": "a socket",
                "LNK": "a symbolic link",
            }[name]
    return "not a regular file"


def _resolve(path: Path, root: Path, what: str) -> Path:
    try:
        real, real_root = path.resolve(strict=True), root.resolve(strict=True)
    except FileNotFoundError as error:
        raise ModelError(
            f"there is no {what} file {path}; {_HOW[what]}, or give the path of one"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"the path {str(path)!r} cannot be followed ({error}); give the path of a {what} file"
        ) from error
    if not real.is_relative_to(real_root):
        raise ModelError(
            f"{path} leads out of the {what} directory {real_root} to {real}; copy the file into"
            " the directory, or name the directory it is in"
        )
    return real


def read_model_bytes(
    path: str | Path, *, root: str | Path | None = None, what: str = "model"
) -> bytes:
    """Return the bytes of a regular file of at most ``MAX_FILE_BYTES`` inside ``root``.

    Parameters
    ----------
    path
        The file, or a symbolic link to it.
    root
        The directory that links may not leave; by default the one named in ``path``.
    what
        ``"model"`` or ``"state"``: what the file holds, for messages.

    Raises
    ------
    ModelError
        Missing, unreadable, too large, not a regular file (a FIFO does not block), or outside
        ``root``.
    """
    path = Path(path)
    real = _resolve(path, path.parent if root is None else Path(root), what)
    try:
        mode = real.stat().st_mode
        if stat.S_ISREG(mode):  # opening a device can already have an effect
            descriptor = os.open(real, _OPEN_FLAGS)
            with os.fdopen(descriptor, "rb") as file:
                mode = os.fstat(descriptor).st_mode
                if stat.S_ISREG(mode):
                    raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"the {what} file {path} cannot be read: {error.strerror}; check its permissions and"
            " its disk"
        ) from error
    if not stat.S_ISREG(mode):
        raise ModelError(f"{path} is {_kind(mode)}; give the path of a {what} file")
    if len(raw) > MAX_FILE_BYTES:
        raise ModelError(
            f"the {what} file {path} is larger than the allowed {MAX_FILE_BYTES} bytes; get the"
            " right file" + (", or train with fewer rounds" if what == "model" else "")
        )
    return raw


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(raw)
        while view:
            view = view[os.write(descriptor, view) :]  # a write may be short
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _status(path: Path) -> os.stat_result | None:
    """Return the status of the file that is to be replaced; None where there is no file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(
            f"{path} is {_kind(status.st_mode)} and is not replaced; give the path of a file"
        )
    return status


def check_target(path: str | Path, *, name: str = "path") -> None:
    """Look before a long run whether its model could be saved; nothing is created.

    Parameters
    ----------
    path
        Where ``write_model_bytes`` is to write.
    name
        What the argument is called where it came from, for messages.

    Raises
    ------
    ModelError
        It is no path, there is something else than a file, or its directory cannot be written to.
    """
    require_path(path, name=name)
    path = Path(path)
    try:
        _status(path)
        folder = next(one for one in path.parents if one.exists())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"the model cannot be saved to {str(path)!r}: {reason}; give another path"
        ) from error
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = "cannot be written to" if folder.is_dir() else "is not a directory"
        raise ModelError(f"the model cannot be saved to {path}: {folder} {what}; give another path")


def _keep_previous(path: Path) -> Path | None:
    """Give the present file a second name with its time stamp; None where there is no file."""
    status = _status(path)
    if status is None:
        return None
    stamp = datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y%m%dT%H%M%SZ")
    kept, count = path.with_name(f"{path.stem}.{stamp}{path.suffix}"), 1
    while True:
        try:
            os.link(path, kept)
        except FileExistsError:
            count += 1
            kept = path.with_name(f"{path.stem}.{stamp}-{count}{path.suffix}")
        except OSError:  # some file systems know no second names
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
            try:
                shutil.copy2(path, temporary)
                temporary.replace(kept)
            finally:
                temporary.unlink(missing_ok=True)
            return kept
        else:
            return kept


def write_model_bytes(
    path: str | Path, raw: bytes, *, keep_previous: bool = True, what: str = "model"
) -> Path:
    """Put ``raw`` at ``path`` in one step.

    The bytes go to a temporary file in the same directory, which is synced and renamed; the
    directory is synced too. Wherever this is cut short, ``path`` holds the whole old file or the
    whole new one. Parent directories are created.

    Parameters
    ----------
    path
        Where to write.
    raw
        The whole content.
    keep_previous
        Give the file that is replaced a second name beside it.
    what
        ``"model"`` or ``"state"``: what the file holds, for messages.

    Returns
    -------
    Path
        ``path``. The previous file, where kept, is beside it as
        ``NAME.YYYYMMDDTHHMMSSZ.SUFFIX``, named by the time of its last change in UTC (with
        ``-2`` and so on where that name is taken).

    Raises
    ------
    ModelError
        The directory, the disk or ``path`` (none, or not a regular file) does not allow it.
    """
    require_path(path, what=what)
    path = Path(path)
    temporary = path.with_name(f".{path.name or 'model'}.{uuid.uuid4().hex}.tmp")
    kept: Path | None = None
    replaced = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(temporary, raw)
        kept = _keep_previous(path) if keep_previous else None
        os.replace(temporary, path)
        replaced = True
        _sync_directory(path.parent)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        state = (
            "the new file is in place but may not outlive a loss of power"
            if replaced
            else "the old file, if there was one, is unchanged"
        )
        raise ModelError(
            f"the {what} could not be saved to {path}: {reason}; {state}; free the disk or choose"
            " another directory, then save again"
        ) from error
    finally:
        if not replaced:
            _discard(temporary)
            if kept is not None:
                _discard(kept)
    return path


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except (OSError, ValueError):
        return  # a leftover is harmless, and the first error is the one to hear of
