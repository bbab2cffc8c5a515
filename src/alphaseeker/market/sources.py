"""From a path, a glob or a directory to the data files it means, and what kind each one is."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from alphaseeker.errors import DataError
from alphaseeker.market.number_text import shown

__all__ = ["DATA_SUFFIXES", "find_files", "is_parquet"]

DATA_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
_PARQUET_MAGIC = b"PAR1"


def find_files(source: str | os.PathLike[str]) -> list[Path]:
    """Return the data files that ``source`` means, sorted by name.

    Parameters
    ----------
    source
        A file of any name; a directory or a glob, of which files with one of ``DATA_SUFFIXES``
        count and hidden ones do not.

    Raises
    ------
    DataError
        The path is empty or cannot be read, there is no such file, no data file in the directory,
        or none that matches the glob.
    """
    text = os.fspath(source)
    if not isinstance(text, str) or not text:
        raise DataError(
            f"the path of the data is {text!r}; give a file, directory, glob or frame ('.' is the "
            "current directory)"
        )
    text = os.path.expanduser(text)
    path = Path(text)
    kinds = ", ".join(DATA_SUFFIXES)
    try:
        files = _data_files(list(path.iterdir())) if path.is_dir() else None
    except OSError as error:  # not allowed, or a name that is too long
        raise DataError(f"{shown(source)} cannot be read: {error.strerror}") from error
    if files is not None:
        if not files:
            raise DataError(f"directory {source} holds no data file; looked for {kinds}")
        return files
    if path.exists():
        if not path.is_file():
            raise DataError(f"{source} is not a regular file; give a file, directory or glob")
        return [path]
    if glob.has_magic(text):
        files = _data_files([Path(match) for match in glob.glob(text, recursive=True)])
        if not files:
            raise DataError(f"no data file matches {source}; looked for {kinds}")
        return files
    raise DataError(f"{source} does not exist; give a file, directory, glob or frame")


def _data_files(paths: list[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.name.lower().endswith(DATA_SUFFIXES)
        and not path.name.startswith(".")
        and path.is_file()
    )


def is_parquet(path: Path) -> bool:
    """Say whether a file is Parquet, by its name or its first bytes.

    Raises
    ------
    DataError
        The file cannot be opened.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
