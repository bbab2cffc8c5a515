"""Sources of ticks and what they become: rows to compute on, and the container of the result."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.market.frames import is_frame
from alphaseeker.market.readers import TickSource, read_ticks
from alphaseeker.market.schema import TickSeries
from alphaseeker.market.sources import find_files

__all__ = ["CONTAINERS", "SourceRows", "TickRows", "read_rows", "wrap"]

TickRows: TypeAlias = "TickSource | Sequence[TickSeries]"

CONTAINERS = ("default", "pandas", "polars")


@dataclass(frozen=True, kw_only=True)
class SourceRows:
    """Ticks as read, and how to put what is computed from them in the order of the source.

    Attributes
    ----------
    series
        The ticks.
    order
        Shape (n,), int64: sorts the rows of all series, one after another; None where they are in
        order.
    container
        What the source is: "pandas", "polars" or "numpy".
    index
        Of a pandas frame, else None.
    """

    series: Sequence[TickSeries]
    order: npt.NDArray[np.int64] | None
    container: str
    index: Any


def read_rows(source: TickRows, *, price_col: str) -> SourceRows:
    """Read a frame, a path or a list of series.

    The rows of a frame or of a single file have an order over all symbols and sessions; those of
    several files, or of a list, go series by series.

    Raises
    ------
    DataError
        The source cannot be read, or is none.
    """
    if isinstance(source, (list, tuple)):
        if not source or not all(isinstance(item, TickSeries) for item in source):
            raise DataError(
                "the list of ticks is empty or holds something else; give TickSeries, as from "
                "read_ticks, or a frame or a path"
            )
        return SourceRows(series=source, order=None, container="numpy", index=None)
    series = read_ticks(source, price_col=price_col)  # type: ignore[arg-type]
    if not is_frame(source):
        one_file = len(find_files(source)) == 1  # type: ignore[arg-type]
        order = _order(series) if one_file else None
        return SourceRows(series=series, order=order, container="numpy", index=None)
    pandas = hasattr(source, "iloc")
    return SourceRows(
        series=series,
        order=_order(series),
        container="pandas" if pandas else "polars",
        index=source.index if pandas else None,  # type: ignore[union-attr]
    )


def _order(series: Sequence[TickSeries]) -> npt.NDArray[np.int64] | None:
    rows = np.concatenate([one.rows for one in series])
    return None if np.all(np.diff(rows) > 0) else np.argsort(rows, kind="stable")


def wrap(
    values: npt.NDArray[np.float32], names: Sequence[str], *, wanted: str, rows: SourceRows
) -> Any:
    """Return ``values``, shape (n, k), in the container wanted.

    Parameters
    ----------
    wanted
        One of ``CONTAINERS``; by "default" scikit-learn's own setting decides, where it was
        changed, and the kind of the source otherwise.

    Raises
    ------
    ConfigError
        The container's package is not installed.
    """
    if wanted == "default" and "sklearn" in sys.modules:
        wanted = sys.modules["sklearn"].get_config().get("transform_output", "default")
    container = rows.container if wanted == "default" else wanted
    if container == "pandas":
        import pandas

        return pandas.DataFrame(values, columns=list(names), index=rows.index)
    if container == "polars":
        try:
            import polars
        except ImportError as error:
            raise ConfigError(
                "transform is 'polars', which is not installed: pip install 'alphaseeker[polars]'"
            ) from error
        return polars.from_numpy(values, schema=list(names), orient="row")
    return values
