"""From a LightGBM model to C source: Treelite reads the model, TL2cgen writes the code.

What they write is not exact as it stands, and is mended here:

- In ``union Entry`` the 32-bit ``missing`` overlaps the value, and any double that ends in 32
  ones read as missing (a value next to 1.0 put a score off by 0.72). It becomes 64 bits wide.
- A node asked first whether the value is missing, then for the threshold. One comparison does
  both: NaN fails ``value <= threshold`` and so goes right, and passes ``!(value > threshold)``
  and so goes left. The 64 bits of a missing entry are those of a NaN. Beside the exactness this
  takes a third off the prediction (2.1 to 1.4 µs) and two fifths off the compiler's work.
- Treelite refuses numbers below the normal doubles. A threshold there is moved to the next that
  it can read, between which no feature lies.

Where LightGBM's missing type is ``none`` and NaN counts as 0.0, Treelite lets NaN go where 0.0
goes; trees are added in LightGBM's order, each class from 0.0. Both are tested, not mended.

At last the splits that stand in the code are compared with the splits of the model.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import math
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from alphaseeker.errors import ModelError
from alphaseeker.model.lightgbm_text import read_splits, validate_model_text

__all__ = ["HEADER", "generate_source", "silence_tl2cgen", "source_identity"]

logger = logging.getLogger(__name__)

HEADER = "header.h"
"""Name of the header file; all other files are units to compile."""

# A compiler works through units side by side; 300 trees of 31 leaves are eight of them.
_LEAVES_PER_UNIT = 1_200
_MAX_UNITS = 64

_NARROW, _WIDE = "  int missing;\n", "  int64_t missing;\n"
_NUMBERS = ("threshold", "split_gain", "leaf_weight", "internal_value", "internal_weight")

# An infinite threshold is written as (1): all but the missing go left.
_NODE = r"\(data\[(\d+)\]\.missing != -1\) {} \((1|data\[\1\]\.fvalue <= \(double\)([^ )]+))\)"
_RIGHT = re.compile(_NODE.format("&&"))
_LEFT = re.compile("!" + _NODE.format(r"\|\|"))


def _packages() -> tuple[str, str]:
    try:
        return version("treelite"), version("tl2cgen")
    except PackageNotFoundError as error:
        raise ModelError(f"the package {error.name} is not installed; install it") from error


@lru_cache(maxsize=1)
def _own_digest() -> bytes:
    return hashlib.sha256(Path(__file__).read_bytes()).digest()


def source_identity(model_text: str) -> bytes:
    """Return a digest of all that the source of a model depends on, without generating it.

    To import Treelite and generate 300 trees takes most of a second, which a model whose library
    is there already need not wait for.

    Raises
    ------
    ModelError
        Treelite or TL2cgen is not installed.
    """
    digest = hashlib.sha256(_own_digest())
    digest.update(repr(_packages()).encode())
    digest.update(model_text.encode())
    return digest.digest()


def _normal(key: str, number: str) -> str:
    """Return a number that Treelite can read: it takes one below the normal doubles for an error.

    A feature is 0.0 or farther from it than 1e-35, so such a threshold may move away from zero.
    Of the other numbers, which are not the leaves', nobody has need.
    """
    value = float(number)
    if value == 0.0 or abs(value) >= sys.float_info.min:
        return number
    return repr(math.copysign(sys.float_info.min, value)) if key == "threshold" else "0"


def _prepared(model_text: str) -> str:
    """Return the text with no number that Treelite cannot read."""
    lines = model_text.split("\n")
    for place, line in enumerate(lines):
        key, _, value = line.partition("=")
        if key in _NUMBERS and "e-3" in value:
            lines[place] = f"{key}={' '.join(_normal(key, item) for item in value.split())}"
    return "\n".join(lines)


def _write_raw_source(model_text: str, units: int, folder: Path) -> None:
    """Let TL2cgen write its files into ``folder``; to be run in a thread of its own."""
    from tl2cgen import generate_c_code
    from treelite.frontend import load_lightgbm_model

    silence_tl2cgen()
    given = folder / "model.txt"
    given.write_text(model_text, encoding="ascii")
    parameters = {"parallel_comp": units} if units > 1 else {}
    generate_c_code(load_lightgbm_model(given), folder / "code", parameters)


def silence_tl2cgen() -> None:
    """Let what TL2cgen says in this thread go to the log, at level DEBUG.

    Its library prints what it does. Where to is a setting of each thread: only the thread that
    first imports it has Python's standard output, all others have the terminal.
    """
    from tl2cgen.libloader import _LIB

    _LIB.TL2cgenRegisterLogCallback(_log_callback())


@lru_cache(maxsize=1)
def _log_callback() -> object:
    def note(message: bytes) -> None:
        logger.debug("tl2cgen: %s", message.decode(errors="replace"))

    return ctypes.CFUNCTYPE(None, ctypes.c_char_p)(note)


def _raw_source(model_text: str, units: int) -> dict[str, str]:
    failures: list[Exception] = []

    def work(folder: Path) -> None:
        try:
            _write_raw_source(model_text, units, folder)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
            failures.append(error)

    try:
        with tempfile.TemporaryDirectory(prefix="alphaseeker-") as folder:
            thread = threading.Thread(target=work, args=(Path(folder),), name="treelite")
            thread.start()
            thread.join()
            if failures:
                raise ModelError(
                    f"Treelite and TL2cgen cannot write the model as C: {failures[0]}; install"
                    " treelite 4.1.2 and tl2cgen 1.0.0"
                ) from failures[0]
            files = sorted((Path(folder) / "code").glob("*.[ch]"))
            return {path.name: path.read_text(encoding="utf-8") for path in files}
    except OSError as error:
        raise ModelError(
            f"the C source needs a temporary folder: {error.strerror or error}; make room there, or"
            " name another in TMPDIR"
        ) from error


def _one_comparison(code: str, found: list[tuple[int, float]]) -> str:
    """Make each node one comparison; ``found`` receives (column, threshold) of each."""

    def right(match: re.Match[str]) -> str:
        column, condition, threshold = match.groups()
        found.append((int(column), float(threshold or "inf")))
        value = f"data[{column}].fvalue"
        return f"({value} == {value})" if condition == "1" else f"({condition})"

    def left(match: re.Match[str]) -> str:
        column, condition, threshold = match.groups()
        found.append((int(column), float(threshold or "inf")))
        value = f"data[{column}].fvalue"
        return "(1)" if condition == "1" else f"!({value} > (double){threshold})"

    return _RIGHT.sub(right, _LEFT.sub(left, code))


def _mended(raw: Mapping[str, str], wanted: list[tuple[int, float]]) -> Iterator[tuple[str, str]]:
    found: list[tuple[int, float]] = []
    for name, code in sorted(raw.items()):
        if name == HEADER:
            if code.count(_NARROW) != 1:
                raise ModelError(
                    f"TL2cgen wrote {code.count(_NARROW)} times {_NARROW.strip()!r}, it must stand"
                    " once; install tl2cgen 1.0.0"
                )
            yield name, code.replace(_NARROW, _WIDE)
        else:
            mended = _one_comparison(code, found)
            if ".missing" in mended:
                raise ModelError(
                    f"TL2cgen wrote a condition in {name} that is not known; install tl2cgen 1.0.0"
                )
            yield name, mended
    if sorted(found) != sorted(wanted):
        raise ModelError(
            f"the C code has {len(found)} splits that are not the model's {len(wanted)}; install"
            " treelite 4.1.2 and tl2cgen 1.0.0"
        )


def generate_source(model_text: str, *, n_features: int | None = None) -> dict[str, bytes]:
    """Return the C source of a model, the same bytes for the same model.

    The function to call is ``void predict(union Entry *data, int pred_margin, double *result)``:
    ``data`` holds one entry a feature, its ``fvalue`` set, NaN where it is missing; values no
    farther from zero than 1e-35f must be 0.0, which is what LightGBM makes of them. It **adds**
    the raw scores to the three of ``result``, so these must be 0.0 before. ``pred_margin`` must be
    1: with 0 the scores become uncalibrated probabilities. It must not be compiled with anything
    like ``-ffast-math``, which takes NaN for a number.

    Parameters
    ----------
    model_text
        LightGBM's text model; validated in full before Treelite sees it, which refuses linear
        trees, categorical splits, ``zero_as_missing`` and random forests, whose leaves are
        averaged.
    n_features
        Columns the model must have; None takes the number the text states.

    Returns
    -------
    dict
        File names to contents: ``HEADER`` and the units, in the order of their names.

    Raises
    ------
    ModelError
        The text is not valid, Treelite or TL2cgen is not installed or fails, there is no temporary
        folder for what they write, or it is not what is known to be exact.
    """
    shape = validate_model_text(model_text, n_features=n_features)
    _packages()
    prepared = _prepared(model_text)
    splits = read_splits(prepared)
    leaves = len(splits) + shape.n_trees
    units = min(max(leaves // _LEAVES_PER_UNIT, 1), _MAX_UNITS)
    mended = dict(_mended(_raw_source(prepared, units), splits))
    if HEADER not in mended or len(mended) < 2:
        raise ModelError(f"TL2cgen wrote only {sorted(mended)}; install tl2cgen 1.0.0")
    return {name: code.encode() for name, code in mended.items()}
