"""Feature blocks made up for training tests: known signal strength, no market behind them."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from alphaseeker.features.block import FeatureBlock
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.market.quality import QualityReport

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

MakeBlock = Callable[..., FeatureBlock]


def block_from(
    mid: Sequence[float] | np.ndarray,
    *,
    timestamp: Sequence[int] | np.ndarray | None = None,
    segment: Sequence[int] | np.ndarray | None = None,
    values: np.ndarray | None = None,
    names: tuple[str, ...] = ("book.imbalance",),
    close: np.ndarray | None = None,
    spread: float = 0.0,
    verdict: np.ndarray | None = None,
    symbol: str = "TEST",
) -> FeatureBlock:
    mid = np.asarray(mid, dtype=np.float64)
    n = len(mid)
    times = np.arange(n) * SECOND + START if timestamp is None else timestamp
    return FeatureBlock(
        symbol=symbol,
        names=names,
        values=np.zeros((n, len(names)), np.float32) if values is None else values,
        timestamp=np.asarray(times, dtype=np.int64),
        mid=mid,
        spread=np.full(n, spread),
        close=mid.copy() if close is None else close,
        segment=np.zeros(n, np.int64) if segment is None else np.asarray(segment, np.int64),
        history=_whole_seconds(np.asarray(times, np.int64), segment),
        verdict=np.zeros(n, np.int8) if verdict is None else verdict,
        row=np.arange(1, n + 1),
        bucket_s=1.0,
        quality=QualityReport(source="made up", symbols=(symbol,), rows=n, accepted=n),
    )


def _whole_seconds(times: np.ndarray, segment: Sequence[int] | np.ndarray | None) -> np.ndarray:
    codes = np.zeros(len(times), np.int64) if segment is None else np.asarray(segment)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return (times - times[first][inverse]) // SECOND


def simulated_block(
    n: int = 6000,
    *,
    signal: float = 0.0,
    seed: int = 0,
    noise_columns: int = 3,
    step_s: float = 10.0,
    spread: float = 0.002,
    symbol: str = "TEST",
    start: int = START,
) -> FeatureBlock:
    """A random walk whose step after each row has correlation ``signal`` with book.imbalance."""
    random = np.random.default_rng(seed)
    feature, own = random.normal(size=(2, n))
    step = 3e-4 * (signal * feature + np.sqrt(1.0 - signal**2) * own)
    mid = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(step[:-1])]))
    past = np.log(mid / np.roll(mid, 6))
    past[:6] = np.nan
    columns = [feature, random.normal(size=n), past, *random.normal(size=(noise_columns, n))]
    names = ("book.imbalance", "flow.ofi_60s", "momentum.return_60s")
    others = [feature.name for feature in FEATURES if feature.name not in names]
    return block_from(
        mid,
        timestamp=start + (np.arange(n) * step_s * SECOND).astype(np.int64),
        values=np.ascontiguousarray(np.column_stack(columns), dtype=np.float32),
        names=(*names, *others[-noise_columns:]),
        spread=spread,
        symbol=symbol,
    )


@pytest.fixture(scope="session")
def make_block() -> MakeBlock:
    return block_from


@pytest.fixture(scope="session")
def simulate() -> MakeBlock:
    return simulated_block
