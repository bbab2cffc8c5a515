"""The captures that benchmarks run on, and the batch loop over arrays that are there already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from alphaseeker.config import Config
from alphaseeker.features.allocation import allocate_session
from alphaseeker.features.batch import column_indices, depth_of, run_ticks
from alphaseeker.features.inputs import available_names
from alphaseeker.features.layout import feature_vector
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.readers import read_ticks

__all__ = ["EVENTS", "GRID", "GRID_WITH_DEPTH", "Loop", "load"]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EVENTS = "usdm_BTCUSDT_quotes"  # every change of the best quote
GRID = "spot_NEXOUSDT_1s"  # one row a second, with five levels
GRID_WITH_DEPTH = "usdm_BTCUSDT_100ms_depth10"


def load(name, *, sides=False, depth=False):
    """Return a capture and the settings fitted on it.

    Parameters
    ----------
    name
        File without its ending.
    sides, depth
        Read the aggressor's side, the levels below the best, where the capture has them. Without,
        the columns are those that every capture gives.

    Raises
    ------
    FileNotFoundError
        The captures are not beside the repository.
    """
    series = read_ticks(DATA / f"{name}.parquet")
    settings = fit_settings(series, Config())
    return series[0], replace(
        settings,
        aggressor=settings.aggressor and sides,
        depth_levels=settings.depth_levels if depth else 0,
        ofi_weights=settings.ofi_weights if depth else {},
    )


class Loop:
    """The batch loop from a fresh record, into arrays that are there already.

    A fresh result of a hundred megabytes is paid for in page faults; what a step costs shows only
    without them.
    """

    def __init__(self, series, settings, names=None):
        self.series, self.settings = series, settings
        self.names = tuple(names) if names is not None else available_names(settings)
        count = len(series)
        self.values = np.zeros((count, len(self.names)), dtype=np.float32)
        self.columns = column_indices(self.names)
        self.depth = depth_of(series, settings)
        self.verdicts = np.zeros(count, dtype=np.int8)
        self.segments, self.history = np.zeros((2, count), dtype=np.int64)
        self.mids = np.zeros(count)

    def __call__(self):
        """Step through the whole series; return the record."""
        records = allocate_session(self.settings, self.series.symbol)
        run_ticks(
            records,
            feature_vector(records),
            self.series.ticks,
            self.depth,
            self.columns,
            self.values,
            self.verdicts,
            self.segments,
            self.history,
            self.mids,
        )
        return records
