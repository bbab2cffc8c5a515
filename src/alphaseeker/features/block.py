"""What feature computation needs to know, and what it gives: settings and a block of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError
from alphaseeker.features.custom import CustomFeature
from alphaseeker.features.declaration import Feature
from alphaseeker.market.depth import MAX_LEVELS
from alphaseeker.market.quality import QualityReport

__all__ = ["LONGEST_BUCKET_S", "SHORTEST_BUCKET_S", "FeatureBlock", "FeatureSettings"]

Fit = TypeVar("Fit")
Default = TypeVar("Default")

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
    tick_sizes, microprices, ofi_weights
        By symbol, as fitted on the training part: price steps; tables of the micro-price's
        distance from the mid (see ``microprice.fit_microprice``); weights of the levels in the
        integrated order flow (see ``integrated_flow.fit_integrated_weights``). What was fitted to
        the only symbol that they name stands for any other; of several, none stands for another.
    aggressor
        The data tells the aggressor's side (``buy_volume``, ``sell_volume``): trades are signed by
        it, and the aggressor family is computed.
    depth_levels
        Levels of depth that the columns read, the touch included; 0 for none.
    round_trip_notional
        Size of the round trip in ``depth.round_trip_cost``, in quote currency.
    max_gap_s
        A longer gap between accepted ticks resets the state.
    max_jump
        Largest relative change of the mid between ticks that needs no confirmation.
    custom
        Features of the user's own that are computed beside the catalogue's.

    Raises
    ------
    ConfigError
        ``bucket_s`` is not from 1 to 900 (the record has room for so many buckets), ``tick_size``
        is neither above 0 nor NaN, or another setting is out of its range.
    """

    bucket_s: float = 1.0
    tick_size: float = float("nan")
    max_gap_s: float = 900.0
    max_jump: float = 0.2
    tick_sizes: Mapping[str, float] = field(default_factory=dict)
    microprices: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    ofi_weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    aggressor: bool = False
    depth_levels: int = 0
    round_trip_notional: float = 10_000.0
    custom: tuple[CustomFeature, ...] = ()

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
        if self.depth_levels not in (0, *range(2, MAX_LEVELS + 1)):
            raise ConfigError(
                f"depth_levels is {self.depth_levels!r}; it must be 0 (no depth) or from 2 to "
                f"{MAX_LEVELS}"
            )
        for symbol, weights in self.ofi_weights.items():
            if len(weights) != self.depth_levels:
                raise ConfigError(
                    f"ofi_weights of {symbol!r} has {len(weights)} numbers; it must have one for "
                    f"each of the {self.depth_levels} levels"
                )
        if not 0.0 < self.round_trip_notional < math.inf:
            raise ConfigError(
                f"round_trip_notional is {self.round_trip_notional!r}; it must be a finite number "
                "above 0, in quote currency"
            )
        self._check_custom()

    def _check_custom(self) -> None:
        for feature in self.custom:
            if not isinstance(feature, CustomFeature):
                raise ConfigError(
                    f"custom holds {feature!r}; it must hold what custom_feature makes of a step"
                )
        names = [column.name for column in self.custom_columns]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"two custom features have the column {twice!r}; rename one of them")

    @property
    def custom_columns(self) -> tuple[Feature, ...]:
        """The declarations of the columns of ``custom``."""
        return tuple(chain.from_iterable(feature.columns for feature in self.custom))

    def to_dict(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Return plain values for a model file, as ``settings.settings_from_plain`` takes them.

        Of custom features it holds the declaration and no code.

        Parameters
        ----------
        names
            The columns that will be read: custom features that have none of them are left out.
        """
        plain = {one.name: deepcopy(getattr(self, one.name)) for one in fields(self)}
        plain["custom"] = [
            feature.declaration()
            for feature in self.custom
            if names is None or any(column.name in names for column in feature.columns)
        ]
        return plain

    def tick_size_of(self, symbol: str) -> float:
        """Return the price step of ``symbol``; NaN where several are known and it is not.

        Where exactly one symbol was fitted, its step stands for a stream of another name too:
        files often name no symbol, and bots do.
        """
        otherwise = math.nan if self.tick_sizes else self.tick_size
        return self._fitted_to(symbol, self.tick_sizes, otherwise)

    def microprice_of(self, symbol: str) -> Sequence[Sequence[float]] | None:
        """Return the table of ``symbol``, by the same rule; None where there is none.

        Of several symbols that were fitted, one with too few ticks has no table: it gets none of
        another's.
        """
        return self._fitted_to(symbol, self.microprices, None)

    def ofi_weights_of(self, symbol: str) -> Sequence[float]:
        """Return the weights of the levels for ``symbol``, by the same rule; else equal ones."""
        levels = self.depth_levels
        fitted = self._fitted_to(symbol, self.ofi_weights, None)
        return fitted or [1.0 / max(levels, 1)] * levels

    def _fitted_to(
        self, symbol: str, fitted: Mapping[str, Fit], otherwise: Default
    ) -> Fit | Default:
        if symbol in fitted:
            return fitted[symbol]
        # One table alone does not mean one symbol: the others may have had too few ticks for it.
        known = {*self.tick_sizes, *self.microprices, *self.ofi_weights}
        return next(iter(fitted.values())) if fitted and len(known) == 1 else otherwise


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
        Shape (n, k), float32, column by column (Fortran order) as ``compute_features`` makes it,
        and in a file where it is large; NaN until a column's declared history is seen.
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
    custom
        The declarations of the columns that are not in the catalogue.
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
    custom: tuple[Feature, ...] = ()

    def __len__(self) -> int:
        return len(self.timestamp)
