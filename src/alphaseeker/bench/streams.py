"""SIMULATED ticks that suit a loaded model, in the forms in which the package takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaseeker.bench.reference import simulated_ticks
from alphaseeker.engine import AlphaSeekerMLEngine
from alphaseeker.market.depth import DEPTH_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Streams", "streams_of"]

FIELDS = (
    *("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume"),
    *("buy_volume", "sell_volume"),
)


@dataclass(frozen=True, kw_only=True)
class Streams:
    """One market, three times over.

    Attributes
    ----------
    symbol
        One that the model was trained on, where it names any.
    history
        Ticks before the measured ones, as a frame.
    frame
        The measured ticks.
    arguments
        Of ``Session.update``, one tuple a tick.
    dictionaries
        For ``engine.predict``, one a tick.
    """

    symbol: str
    history: pd.DataFrame
    frame: pd.DataFrame
    arguments: Sequence[tuple[Any, ...]]
    dictionaries: Sequence[dict[str, Any]]


def streams_of(engine: AlphaSeekerMLEngine, *, history_rows: int, ticks: int) -> Streams:
    """Return ticks with the depth that the loaded model reads and in steps of its tick size.

    Parameters
    ----------
    engine
        Serves the model.
    history_rows, ticks
        Rows before the measured ones, and of them.
    """
    model = engine.session("").model
    artifact, levels = model.artifact, model.depth_levels
    known = artifact.training["symbols"]
    symbol = str(known[0]) if known else ""
    every = simulated_ticks(
        history_rows + ticks,
        tick_size=float(artifact.settings["tick_size"]),
        symbol=symbol,
        depth_levels=levels,
    )
    frame = every.iloc[history_rows:].reset_index(drop=True)
    times = frame["timestamp"].astype("datetime64[ns]").astype("int64").tolist()
    columns = [frame[name].tolist() for name in FIELDS]
    names = [f"{name}_{level + 1}" for level in range(levels) for name in DEPTH_COLUMNS]
    depth: list[Any] = [None] * ticks
    if levels > 0:
        shape = (ticks, levels, len(DEPTH_COLUMNS))
        depth = list(np.ascontiguousarray(frame[names].to_numpy(dtype=np.float64).reshape(shape)))
    arguments = list(zip(times, *columns, depth, strict=True))
    dictionaries = []
    for row in arguments:
        tick = {"symbol": symbol, "timestamp": row[0], **dict(zip(FIELDS, row[1:9], strict=True))}
        dictionaries.append(tick if row[9] is None else {**tick, "depth": row[9]})
    return Streams(
        symbol=symbol,
        history=every.iloc[:history_rows],
        frame=frame,
        arguments=arguments,
        dictionaries=dictionaries,
    )
