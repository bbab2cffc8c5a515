"""What splitters by time share: parameters as scikit-learn wants them, and reading times."""

from __future__ import annotations

import inspect
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alphaseeker.errors import ConfigError, DataError
from alphaseeker.training.label_intervals import (
    Column,
    Indices,
    LabelIntervals,
    label_intervals,
    require_length,
)
from alphaseeker.training.splits import NANOSECONDS

__all__ = ["TimeSplitter", "require_least"]


class TimeSplitter(ABC):
    """What splitters by time share: parameters as scikit-learn wants them, and reading times."""

    label_span_s: float
    embargo_s: float
    min_rows: int
    timestamps: Column
    label_ends: Column
    sessions: Column

    def __repr__(self) -> str:
        signature = inspect.signature(type(self)).parameters
        shown = []
        for name, value in self.get_params().items():
            if np.ndim(value) > 0:
                shown.append(f"{name}=<{len(value)} values>")
            elif value != signature[name].default:
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` changes nothing, none is an estimator."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters, all or, where the constructor would refuse one (ConfigError), none."""
        known = self.get_params()
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise ConfigError(f"unknown parameter {unknown[0]!r}; there are {', '.join(known)}")
        self.__dict__.update(type(self)(**{**known, **parameters}).__dict__)
        return self

    def _check(self) -> None:
        require_least("label_span_s", self.label_span_s, 0.0)
        require_least("embargo_s", self.embargo_s, 0.0)
        require_least("min_rows", self.min_rows, 1, Integral)

    def split(
        self,
        X: Any,
        y: Any = None,
        groups: object = None,
        *,
        timestamps: Column = None,
        label_ends: Column = None,
        sessions: Column = None,
    ) -> Iterator[tuple[Indices, Indices]]:
        """Yield row numbers to train on and to test on, both int64 and in time order.

        Parameters
        ----------
        X, y
            Shape (n, ...) and (n,), rows in any order; only their length and the DatetimeIndex of
            a pandas frame or series are looked at (of several levels, the one that holds times).
        groups
            Not used.
        timestamps
            Shape (n,): int64 nanoseconds UTC, datetime64 or times with a zone (naive is UTC);
            None takes the constructor's, then the index of ``X``, then that of ``y``.
        label_ends
            Shape (n,), the same: when each label is known, where that is earlier than the span.
        sessions
            Shape (n,): name or number of the session (segment) of each row. No label reaches into
            the next session, and parts prefer to begin with a session (`part_starts`).

        Raises
        ------
        DataError
            There are no times, an array does not fit, or a part has fewer than ``min_rows`` rows.
        """
        return self._split(self._intervals(X, y, timestamps, label_ends, sessions))

    @abstractmethod
    def _split(self, intervals: LabelIntervals) -> Iterator[tuple[Indices, Indices]]:
        """Yield what ``split`` does, of rows whose times and labels are known."""

    def _intervals(
        self, X: Any, y: Any, timestamps: Column, label_ends: Column, sessions: Column
    ) -> LabelIntervals:
        sources = (timestamps, self.timestamps, _times_of_index(X), _times_of_index(y))
        times = next((source for source in sources if source is not None), None)
        if times is None:
            raise DataError(
                f"{type(self).__name__} splits by time, and the rows have none: give X or y a "
                "pandas DatetimeIndex, or timestamps=... to the constructor or to split"
            )
        if X is not None:
            require_length(times, X.shape[0] if hasattr(X, "shape") else len(X), "timestamps")
        return label_intervals(
            times,
            label_span_ns=round(self.label_span_s * NANOSECONDS),
            label_ends=self.label_ends if label_ends is None else label_ends,
            sessions=self.sessions if sessions is None else sessions,
        )

    def _require_rows(self, count: int, part: str, intervals: LabelIntervals) -> None:
        if count >= self.min_rows:
            return
        span = float(np.ptp(intervals.start)) / NANOSECONDS if intervals else 0.0
        raise DataError(
            f"{part} has {count} rows, at least {self.min_rows} (min_rows) are needed. The data "
            f"has {len(intervals)} rows over {span:g} s, and each gap takes label_span_s "
            f"{self.label_span_s:g} and embargo_s {self.embargo_s:g}: bring more data, ask for "
            "fewer parts or shorten the gaps; integer timestamps are read as nanoseconds"
        )


def require_least(name: str, value: Any, least: float, kind: type = Real) -> None:
    """Refuse with a ConfigError what is no finite number of a kind, ``least`` or more."""
    number = isinstance(value, kind) and not isinstance(value, bool)
    if not number or not least <= value < math.inf:
        word = "an integer" if kind is Integral else "a finite number"
        raise ConfigError(f"{name} is {value!r}; it must be {word}, {least:g} or more")


def _times_of_index(frame: Any) -> npt.ArrayLike | None:
    pandas = sys.modules.get("pandas")  # a frame cannot come from a package not imported
    index = getattr(frame, "index", None)
    if pandas is None or not isinstance(index, pandas.Index):
        return None
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    times = [level for level in levels if isinstance(level, pandas.DatetimeIndex)]
    return times[0] if len(times) == 1 else None
