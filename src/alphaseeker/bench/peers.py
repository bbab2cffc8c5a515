"""The predictors that users have without this package, each on ready rows of features."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.bench.timing import Contender
from alphaseeker.errors import ModelError
from alphaseeker.model.lightgbm_predictor import LightGBMPredictor
from alphaseeker.model.treelite_source import silence_tl2cgen

__all__ = ["BOOSTER", "SINGLE_ROW_FAST", "TREELITE", "peers_of", "single_row_fast"]

BOOSTER = "lgb.Booster.predict"
SINGLE_ROW_FAST = "LightGBM C API, single row fast"
TREELITE = "tl2cgen.Predictor"
# Treelite's own default takes about three times as long to compile and runs no faster.
COMPILER_OPTIONS = ["-O1"]
PARTS = 8
SAME = 1e-6


def peers_of(
    model_text: str, rows: npt.NDArray[np.float32], folder: Path
) -> tuple[dict[str, Contender], dict[str, str], Any]:
    """Return the peers by name, why others are left out, and LightGBM's booster.

    Parameters
    ----------
    model_text
        LightGBM's text model.
    rows
        Shape (n, k), float32: what they predict from, in order of time.
    folder
        Where Treelite's library is compiled.
    """
    import lightgbm

    booster = lightgbm.Booster(model_str=model_text)
    single = [(row[np.newaxis],) for row in rows]
    peers = {
        BOOSTER: Contender(call=partial(booster.predict, num_threads=1), arguments=single),
        SINGLE_ROW_FAST: single_row_fast(model_text, rows, np.zeros(3)),
    }
    skipped: dict[str, str] = {}
    try:
        predict = _treelite(booster, rows, folder)
    except Exception as error:  # noqa: BLE001 - whatever it fails with is why it is left out
        skipped[TREELITE] = " ".join(f"{type(error).__name__}: {error}".split())
    else:
        peers[TREELITE] = Contender(call=predict, arguments=single)
    return peers, skipped, booster


def single_row_fast(
    model_text: str, rows: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]
) -> Contender:
    """Return the call of LightGBM's C API that is prepared once for all rows.

    A row is copied into the buffer that the call reads outside the time taken, which flatters it.

    Parameters
    ----------
    model_text
        LightGBM's text model.
    rows
        Shape (n, k), float32.
    scores
        Shape (3,), float64, output: the raw scores of the latest row.
    """
    buffer = rows[0].copy()
    call = LightGBMPredictor(model_text).bind(buffer, scores)

    def prepare(number: int) -> None:
        buffer[:] = rows[number % len(rows)]

    return Contender(call=call, arguments=[()], prepare=prepare)


def _treelite(booster: Any, rows: npt.NDArray[np.float32], folder: Path) -> Any:
    """Return Treelite's predictor with the matrix that it needs made in each call.

    Raises
    ------
    Exception
        Whatever hinders it: a package or a compiler is missing, or it does not take today's NumPy.
    """
    library = folder / "treelite_model.so"
    # What it prints goes to standard output, where a table or JSON is to stand.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tl2cgen
        import treelite

        silence_tl2cgen()
        tl2cgen.DMatrix(rows[:1])  # fails before the compiler is run
        tl2cgen.export_lib(
            treelite.frontend.from_lightgbm(booster),
            toolchain="gcc",
            libpath=library,
            params={"parallel_comp": PARTS},
            options=COMPILER_OPTIONS,
        )
        predictor = tl2cgen.Predictor(library, nthread=1)

        def predict(row: npt.NDArray[np.float32]) -> Any:
            return predictor.predict(tl2cgen.DMatrix(row))

        given = np.ravel(predict(rows[:1]))
    right = booster.predict(rows[:1])[0]
    if given.shape != right.shape or np.abs(given - right).max() > SAME:
        raise ModelError(f"it gives {given.tolist()} where LightGBM gives {right.tolist()}")
    return predict
