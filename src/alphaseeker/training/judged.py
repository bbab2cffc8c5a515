"""A source of ticks, read within its share of memory, and what the quality gate left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaseeker.config import Config
from alphaseeker.features.matrix_file import release
from alphaseeker.market.gate import Verdict
from alphaseeker.market.quality import QualityAccumulator, QualityReport, enforce
from alphaseeker.market.readers import read_ticks, source_name
from alphaseeker.market.schema import TickSeries

__all__ = ["JUDGED_AT_ONCE", "MB", "Judged", "judge_series", "judge_source", "read_source"]

REPEATED = int(Verdict.REPEATED)
MB = 1_000_000
# Of MATRIX_MEMORY_MB: ticks that need more stand in files, as matrices that exceed the whole do.
TICKS_SHARE = 1 / 8
JUDGED_AT_ONCE = 65_536  # rows


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A source as the quality gate left it.

    Attributes
    ----------
    series
        Every symbol's ticks with the refused rows left out.
    accepted
        By series, shape (n,), bool: the row reaches the features.
    quality
        What the gate counted.
    """

    series: tuple[TickSeries, ...]
    accepted: tuple[Any, ...]
    quality: QualityReport


def judge_source(data: Any, config: Config, *, price_col: str = "close") -> Judged:
    """Read ``data`` and judge every row.

    Raises
    ------
    DataError
        The source cannot be read, or is worse than DATA_CONFIG allows.
    """
    return judge_series(data, read_source(data, config, price_col=price_col), config)


def read_source(
    data: Any,
    config: Config,
    *,
    price_col: str = "close",
    columns: Sequence[str] = (),
    quotes_needed: bool = True,
) -> list[TickSeries]:
    """Read ``data`` within the memory that MATRIX_MEMORY_MB leaves to ticks; see ``read_ticks``."""
    return read_ticks(
        data,
        price_col=price_col,
        chunk_rows=config.data.CHUNK_ROWS,
        memory_limit=config.data.MATRIX_MEMORY_MB * MB * TICKS_SHARE,
        columns=columns,
        quotes_needed=quotes_needed,
    )


def judge_series(data: Any, read: Sequence[TickSeries], config: Config) -> Judged:
    """Judge every row that was read of ``data``.

    Raises
    ------
    DataError
        The source is worse than DATA_CONFIG allows.
    """
    limits = {"max_gap_s": config.inference.MAX_GAP_S, "max_jump": config.inference.MAX_JUMP}
    total = QualityAccumulator(source_name(data), **limits)
    series, accepted = [], []
    for one in read:
        kept = np.empty(len(one), dtype=np.bool_)
        for start in range(0, len(one), JUDGED_AT_ONCE):
            verdicts = total.update(one.piece(start, start + JUDGED_AT_ONCE))
            kept[start : start + JUDGED_AT_ONCE] = (verdicts >= 0) & (verdicts < REPEATED)
            for array in (one.ticks, one.rows, one.depth):
                if array is not None:
                    release(array)
        series.append(one)
        accepted.append(kept)
    quality = total.report()
    enforce(quality, config.data)
    return Judged(
        series=tuple(series),
        accepted=tuple(accepted),
        quality=quality,
    )
