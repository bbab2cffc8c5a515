"""Features of a whole frame: for research, where a formula is tried before it becomes a step."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError
from alphaseeker.features.custom import CUSTOM_FAMILY, check_name, imported
from alphaseeker.features.custom_step import LARGEST
from alphaseeker.features.declaration import Feature
from alphaseeker.features.output import SMALLEST
from alphaseeker.market.schema import TICK, TickSeries

__all__ = ["FrameFeature", "frame_feature", "frame_of"]

FIELDS = tuple(name for name in TICK.names or () if name not in ("timestamp", "session"))


@dataclass(frozen=True, kw_only=True)
class FrameFeature:
    """A function of all ticks of a symbol at once; made by ``frame_feature``.

    Attributes
    ----------
    name
        The column is ``custom.<name>``.
    function
        ``function(frame) -> array``.
    unit, formula
        For the table of features; the formula is the first line of the docstring.
    """

    name: str
    function: Callable[[Any], Any] = field(repr=False)
    unit: str
    formula: str

    def __call__(self, frame: Any) -> Any:
        """Return what the function does."""
        return self.function(frame)

    def __deepcopy__(self, memo: object) -> FrameFeature:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # The function itself is not to be found under its name, where it was decorated there.
        module, name = self.function.__module__, self.function.__qualname__
        if getattr(importlib.import_module(module), name, None) is self:
            return imported, (module, name)
        return _made, (self.name, self.function, self.unit)

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The declaration of the one column."""
        return (
            Feature(
                name=f"{CUSTOM_FAMILY}.{self.name}",
                family=CUSTOM_FAMILY,
                signal=self.name,
                unit=self.unit,
                window_s=0,
                memory_s=0,
                shortest_s=0,
                lag_s=0,
                lag_buckets=0,
                bar=False,
                inputs=(),
                levels=0,
                formula=self.formula,
                source="custom, of the whole frame: batch only",
            ),
        )

    def values(self, frame: Any) -> npt.NDArray[np.float32]:
        """Return the column for a frame of n rows, shape (n,); NaN where it is not finite.

        Raises
        ------
        ConfigError
            The function returned something else than n numbers.
        """
        rows = frame.index.copy()
        given = self.function(frame)
        if hasattr(given, "reindex") and _are_in_another_order(given.index, rows):
            given = given.reindex(rows)
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"frame feature {self.name!r} returned a {type(given).__name__} that is no array "
                f"of numbers: {error}"
            ) from error
        if values.shape != (len(rows),):
            raise ConfigError(
                f"frame feature {self.name!r} returned shape {values.shape} for {len(rows)} rows; "
                "it must return one number a row"
            )
        values = np.where(np.abs(values) <= SMALLEST, 0.0, values)
        return np.where(np.abs(values) <= LARGEST, values, np.nan).astype(np.float32)


def _made(name: str, function: Callable[[Any], Any], unit: str) -> FrameFeature:
    return frame_feature(name, unit)(function)


def _are_in_another_order(index: Any, rows: Any) -> bool:
    """Say whether an index has the very labels of the rows, as after sorting.

    Other labels tell of no order; they may be of any kinds, which need not compare.
    """
    return bool(
        index.nlevels == 1
        and len(index) == len(rows)
        and not index.equals(rows)
        and index.is_unique
        and rows.isin(index).all()
    )


def frame_feature(name: str | None = None, unit: str = "") -> Callable[[Any], FrameFeature]:
    """Return a decorator that makes a function of a frame a column, for research only.

    The function gets a pandas frame of one symbol's accepted ticks in time order: ``timestamp``
    (UTC), ``bid_price``, ``ask_price``, ``bid_volume``, ``ask_volume``, ``close``, ``volume``,
    ``buy_volume``, ``sell_volume`` (NaN where unknown), ``mid``, and ``segment``, which rises where
    a session or a gap begins anew. It returns an array or a Series with a number a row, in the
    order of the rows; a Series that holds the frame's own index in another order is put in order.

    Nothing keeps it from looking ahead, and it has no streaming form: a
    ``MicrostructureFeatureEngineer`` takes it for ``transform``, an engine does not.

    Parameters
    ----------
    name
        By default the function's.
    unit
        For the table of features.

    Raises
    ------
    ConfigError
        The name cannot be one.

    Examples
    --------
    >>> @frame_feature(unit="bp")
    ... def change(frame):
    ...     "change of the mid since the tick before"
    ...     return 1e4 * frame.groupby("segment")["mid"].pct_change()
    """
    if callable(name):
        raise ConfigError("frame_feature takes its settings first: write @frame_feature()")

    def declare(function: Callable[[Any], Any]) -> FrameFeature:
        named = name if name is not None else getattr(function, "__name__", "")
        check_name(named)
        text = (function.__doc__ or "").strip()
        return FrameFeature(
            name=named,
            function=function,
            unit=unit,
            formula=text.splitlines()[0] if text else "",
        )

    return declare


def frame_of(
    series: TickSeries,
    kept: npt.NDArray[np.bool_],
    segments: npt.NDArray[np.int64],
    mids: npt.NDArray[np.float64],
) -> Any:
    """Return the pandas frame of the rows ``kept`` that a frame feature gets.

    Parameters
    ----------
    series
        n ticks.
    kept, segments, mids
        Shape (n,), as ``step_through`` gives them.
    """
    import pandas

    ticks = series.ticks[kept]
    columns: dict[str, Any] = {
        "timestamp": pandas.to_datetime(ticks["timestamp"], unit="ns", utc=True)
    }
    columns |= {name: ticks[name] for name in FIELDS}
    return pandas.DataFrame({**columns, "mid": mids[kept], "segment": segments[kept]})
