"""What feature computation needs to know, and what it gives: settings and a block of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError
from alphaseeker.market.quality import QualityReport

__all__ = ["LONGEST_BUCKET_S", "SHORTEST_BUCKET_S", "FeatureBlock", "FeatureSettings"]

# The record has a slot for each second of the longest window: shorter buckets would not fit, and
# longer ones would leave no window.
SHORTEST_BUCKET_S = 1.0
LONGEST_BUCKET_S = 900.0


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """Numbers that the feature step is set up with; stored in the model, identical when served.

    Attributes
    ----------
    bucket_s
        Length of a bucket, in seconds: 1 for event streams and one-second grids.
    tick_size
        Smallest price step, in price units, of every symbol that ``tick_sizes`` does not name.
    tick_sizes
        The same by symbol, as fitted on the training part.
    max_gap_s
        A longer gap between accepted ticks resets the state.
    max_jump
        Largest relative change of the mid between ticks that needs no confirmation.

    Raises
    ------
    ConfigError
        ``bucket_s`` is not from 1 to 900 (the record has room for so many buckets), or
        ``tick_size`` is neither above 0 nor NaN.
    """

    bucket_s: float = 1.0
    tick_size: float = float("nan")
    max_gap_s: float = 900.0
    max_jump: float = 0.2
    tick_sizes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not SHORTEST_BUCKET_S <= self.bucket_s <= LONGEST_BUCKET_S:
            raise ConfigError(
                f"bucket_s is {self.bucket_s!r}; it must be a number of seconds from "
                f"{SHORTEST_BUCKET_S:g} to {LONGEST_BUCKET_S:g}"
            )
        for size in (self.tick_size, *self.tick_sizes.values()):
            number = isinstance(size, (int, float)) and not isinstance(size, bool)
            if not number or size <= 0.0 or math.isinf(size):
                raise ConfigError(
                    f"tick_size is {size!r}; it must be a finite number above 0, or NaN where it "
                    "is unknown"
                )

    def tick_size_of(self, symbol: str) -> float:
        """Return the price step of ``symbol``; NaN where several are known and it is not.

        Where one symbol was fitted, its step stands for a stream of another name too: files
        often name no symbol, and bots do.
        """
        if symbol in self.tick_sizes:
            return self.tick_sizes[symbol]
        if len(self.tick_sizes) == 1:
            return next(iter(self.tick_sizes.values()))
        return math.nan if self.tick_sizes else self.tick_size


@dataclass(frozen=True, kw_only=True)
class FeatureBlock:
    """Features of the accepted ticks of one symbol, in order.

    Attributes
    ----------
    symbol
        Name of the instrument.
    names
        The k column names.
    values
        Shape (n, k), float32, C-contiguous; NaN until a column's declared history is seen.
    timestamp
        Shape (n,), int64, nanoseconds UTC.
    mid, spread, close
        Shape (n,), float64, in price units.
    segment
        Shape (n,), int64: rises where a session changes or a gap resets the state. No window and
        no label crosses a boundary.
    history
        Shape (n,), int64: whole buckets seen in the segment before the current one.
    verdict
        Shape (n,), int8: the gate's verdict on the row.
    row
        Shape (n,), int64: row number in the source.
    bucket_s
        Length of a bucket, in seconds.
    quality
        What the gate counted in the source.
    """

    symbol: str
    names: tuple[str, ...]
    values: npt.NDArray[np.float32]
    timestamp: npt.NDArray[np.int64]
    mid: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    segment: npt.NDArray[np.int64]
    history: npt.NDArray[np.int64]
    verdict: npt.NDArray[np.int8]
    row: npt.NDArray[np.int64]
    bucket_s: float
    quality: QualityReport

    def __len__(self) -> int:
        return len(self.timestamp)
