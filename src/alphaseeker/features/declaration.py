"""What a feature's declaration holds: one entry per signal, expanded to one column per window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["NANOSECONDS", "Feature", "Signal"]

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of the feature matrix.

    Attributes
    ----------
    name
        ``family.signal`` or ``family.signal_<window>s``; fixed once published.
    family, signal
        The two parts of the name.
    unit
        ``bp``, ``ticks``, ``1`` (a pure number) and so on.
    window_s
        Window or half-life in seconds; 0 for a signal of the present tick.
    shortest_s
        The shortest window that enters the formula.
    lag_buckets
        Whole buckets needed ahead of the window.
    formula, source
        In the notation of ``docs/features.md``; author and year.
    """

    name: str
    family: str
    signal: str
    unit: str
    window_s: int
    shortest_s: int
    lag_buckets: int
    formula: str
    source: str

    @property
    def history_s(self) -> int:
        """Whole one-second buckets that must have been seen before the column is finite."""
        return self.window_s + self.lag_buckets

    def history_buckets(self, bucket_s: float) -> int | None:
        """Return the whole buckets of ``bucket_s`` seconds that the column needs.

        None where a window is shorter than a bucket: such a column is never finite.
        """
        bucket_ns = round(bucket_s * NANOSECONDS)
        if 0 < self.shortest_s * NANOSECONDS < bucket_ns:
            return None
        return self.window_s * NANOSECONDS // bucket_ns + self.lag_buckets


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One formula, computed over none, one or several windows."""

    family: str
    name: str
    unit: str
    formula: str
    source: str = ""
    windows: tuple[int, ...] = ()
    window_s: int = 0  # the memory of a signal without a window in its name
    shortest_s: int = 0  # where it is not the window itself
    lag_buckets: int = 0

    def features(self) -> Iterator[Feature]:
        """Yield the columns in the order in which the kernels write them."""
        for window in self.windows or (self.window_s,):
            suffix = f"_{window}s" if self.windows else ""
            yield Feature(
                name=f"{self.family}.{self.name}{suffix}",
                family=self.family,
                signal=self.name,
                unit=self.unit,
                window_s=window,
                shortest_s=self.shortest_s or window,
                lag_buckets=self.lag_buckets,
                formula=self.formula,
                source=self.source,
            )
