"""What a feature's declaration holds: one entry per signal, expanded to one column per window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["MIN_RETURNS", "NANOSECONDS", "Feature", "Signal"]

NANOSECONDS = 1_000_000_000

# A statistic of returns with fewer non-zero returns than this in its window is NaN: on a quiet
# market a bipower share, say, would otherwise be exactly 1 most of the time.
MIN_RETURNS = 10


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
        Window, half-life or length of the bar in seconds; 0 for a signal of the present tick.
    memory_s
        Seconds of history: the window, or several of it. What does not fill a whole bucket more
        is cut off, as the kernels cut a window, unless ``rounded_up``. A column whose memory is
        longer than ``READY_HISTORY_S`` does not hold the signal back; the lags below do not count
        there, or 60 seconds of a lag would take a column of 900 seconds out of it.
    shortest_s
        The shortest window that enters the formula.
    lag_s
        Seconds needed ahead of the memory, in whole buckets rounded up: a lag of 5 seconds is one
        bucket of a minute.
    lag_buckets
        Whole buckets needed ahead of the memory, whatever their length.
    bar
        The window is a bar on the wall clock, which buckets must fill without a rest.
    inputs
        What is needed beside the seven required columns: ``"depth"`` (price levels below the best),
        ``"aggressor"`` (``buy_volume`` and ``sell_volume``) or ``"sign"`` (the two where the
        settings say that the data has them, else the tick rule).
    levels
        Levels of depth that the data must have on each side, the best one included; 0 for none.
    rounded_up
        The memory takes a whole bucket for what is left of it: a custom column is promised all its
        seconds.
    fitted
        The values rest on estimates from the training part. On the rows of that part the column
        knows what came after them, and what it is worth shows on later rows only.
    formula, source
        In the notation of ``docs/features.md``; author and year.
    """

    name: str
    family: str
    signal: str
    unit: str
    window_s: float
    memory_s: int
    shortest_s: int
    lag_s: int
    lag_buckets: int
    bar: bool
    inputs: tuple[str, ...]
    levels: int
    formula: str
    source: str
    rounded_up: bool = False
    fitted: bool = False

    @property
    def history_s(self) -> int:
        """Whole one-second buckets that must have been seen before the column is finite."""
        return self.memory_s + self.lag_s + self.lag_buckets

    def history_buckets(self, bucket_s: float) -> int | None:
        """Return the whole buckets of ``bucket_s`` seconds that the column needs.

        The memory is rounded down to whole buckets (up where ``rounded_up``), ``lag_s`` up, and
        ``lag_buckets`` is added.
        None where a window is shorter than a bucket, or where buckets do not fill a bar: such a
        column is never finite.
        """
        bucket_ns = round(bucket_s * NANOSECONDS)
        if 0 < self.shortest_s * NANOSECONDS < bucket_ns:
            return None
        if self.bar and self.window_s * NANOSECONDS % bucket_ns:
            return None
        memory, rest = divmod(self.memory_s * NANOSECONDS, bucket_ns)
        if self.rounded_up and rest:
            memory += 1
        lag = -(-self.lag_s * NANOSECONDS // bucket_ns)
        return memory + lag + self.lag_buckets


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One formula, computed over none, one or several windows.

    The fields are those of ``Feature``, except that the memory is told in windows, so that one
    declaration holds for all of them.
    """

    family: str
    name: str
    unit: str
    formula: str
    source: str = ""
    windows: tuple[int, ...] = ()
    window_s: int = 0  # of a signal without a window in its name
    memory_windows: int = 1
    shortest_s: int = 0  # where it is not the window itself
    lag_s: int = 0
    lag_buckets: int = 0
    bar: bool = False
    inputs: tuple[str, ...] = ()
    levels: int = 0
    fitted: bool = False

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
                memory_s=window * self.memory_windows,
                shortest_s=self.shortest_s or window,
                lag_s=self.lag_s,
                lag_buckets=self.lag_buckets,
                bar=self.bar,
                inputs=self.inputs,
                levels=self.levels,
                formula=self.formula,
                source=self.source,
                fitted=self.fitted,
            )
