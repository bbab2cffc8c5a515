"""How many whole buckets a choice of columns waits for."""

import math

import pytest

from alphaseeker.errors import ConfigError
from alphaseeker.features.catalogue import FEATURES
from alphaseeker.features.readiness import required_buckets

NAMES = [feature.name for feature in FEATURES]


@pytest.mark.parametrize(
    ("names", "bucket_s", "ready_history_s", "buckets"),
    [
        ([], 1.0, 900, 0),
        (["book.spread"], 1.0, 900, 0),
        (["book.spread", "flow.ofi_60s", "flow.ofi_5s"], 1.0, 900, 60),
        (["flow.ofi_60s"], 60.0, 900, 1),
        (["momentum.autocorr_900s"], 1.0, 900, 901),
        # A longer memory than READY_HISTORY_S does not hold the signal back ...
        (["flow.ofi_60s", "momentum.return_300s"], 1.0, 60, 60),
        (["momentum.return_300s"], 1.0, 0, 0),
        # ... nor does a window that is shorter than a bucket.
        (["flow.ofi_5s", "flow.ofi_300s"], 60.0, 900, 5),
        (["volatility.ewma"], 60.0, 900, 12),
        # The memory decides, not the window: these look back over two bars, or fifteen, or sixteen.
        (["bars.range_300s"], 1.0, 900, 600),
        (["bars.range_900s"], 1.0, 900, 0),
        (["bars.range_900s"], 1.0, 1800, 1800),
        (["bars.atr_60s"], 1.0, 900, 900),
        (["bars.volume_ratio_60s", "momentum.macd"], 1.0, 900, 0),
        (["bars.range_60s", "flow.ofi_60s"], 7.0, 900, 8),  # no bar is filled by such buckets
        # Lags ahead of the memory do not take a column out, but are waited for.
        (["liquidity.realized_spread_900s"], 1.0, 900, 905),
        (["trades.vpin_300s"], 1.0, 300, 360),
        (["trades.vpin_300s"], 7.0, 300, 42 + 9),
        (NAMES, 1.0, 900, 909),
        (NAMES, 60.0, 900, 24),
        (NAMES, 1.0, math.inf, 16 * 900),
    ],
)
def test_required_buckets(names, bucket_s, ready_history_s, buckets):
    found = required_buckets(names, bucket_s=bucket_s, ready_history_s=ready_history_s)
    assert found == buckets


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="unknown feature 'nothing'"):
        required_buckets(["nothing"], bucket_s=1.0, ready_history_s=900)


def test_columns_are_finite_from_then_on(walk, run):
    result = run(walk(4000))
    names = ["flow.ofi_30s", "momentum.zscore_60s", "volatility.ewma"]
    columns = [NAMES.index(name) for name in names]
    needed = required_buckets(names, bucket_s=1.0, ready_history_s=900)
    ready = result.history >= needed
    finite = result.values[:, columns][ready]
    assert len(finite)
    assert (finite == finite).all()
    assert not (result.values[:, columns][~ready] == result.values[:, columns][~ready]).all(1).any()
