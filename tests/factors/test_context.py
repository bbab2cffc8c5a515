from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import spearmanr

from alphaseeker.factors.context import factor_context
from alphaseeker.factors.panel import panel_of
from alphaseeker.factors.stability import ic_by_day, ic_by_regime, sign_shares

SECOND = 10**9
ROWS = 6000
SPANS = np.arange(0, ROWS, 300)[:, None] + [0, 300]


def panel(block):
    made = panel_of(block, horizons_s=[20.0], blocks=len(SPANS))
    assert np.array_equal(made.blocks, SPANS[: len(made.blocks)])
    return made


@pytest.fixture
def made_up(make_block, random_walk):
    random = np.random.default_rng(7)
    slow = lfilter([1.0], [1.0, -0.99], random.standard_normal(ROWS))
    columns = {
        "slow": slow,
        "fast": random.standard_normal(ROWS),
        "slow again": -slow + 0.1 * random.standard_normal(ROWS),
        "slow bent": np.where(np.arange(ROWS) < 900, np.nan, np.exp(slow / 8.0)),
        "constant": np.ones(ROWS),
    }
    ics = 0.1 * random.standard_normal((5, len(SPANS)))
    ics[:, 3] = np.nan
    return make_block(columns, random_walk(random, ROWS)), ics


def test_a_factor_is_described(made_up):
    block, ics = made_up
    found = factor_context([panel(block)], [block.values.T], [ics], standing=[1, 2, 0, 3, 4])
    assert [each["cluster"] for each in found] == [1, 0, 1, 1, 2]
    assert [each["redundant_with"] for each in found] == [2, None, None, 2, None]
    assert found[0]["redundant_correlation"] < -0.9
    assert found[3]["redundant_correlation"] < -0.9
    assert found[1]["redundant_correlation"] == 0.0
    for place in (0, 1, 3):
        values = block.values[:, place].astype(np.float64)
        known = np.isfinite(values[:-20])
        wanted = spearmanr(values[:-20][known], values[20:][known]).statistic
        assert found[place]["autocorrelation"] == pytest.approx(wanted)
    assert found[4]["autocorrelation"] == 0.0
    starts = block.timestamp[SPANS[:, 0]]
    logs = np.log(block.mid)
    volatility = [np.sqrt(np.mean(np.diff(logs[a:b]) ** 2)) for a, b in SPANS]
    for place, each in enumerate(found):
        assert each["ic_by_day"] == ic_by_day(ics[place], starts)
        wanted = ic_by_regime(ics[place], [np.nan, *volatility[:-1]])
        assert each["ic_by_regime"] == wanted
        assert each["sign_share"] == sign_shares(ics[place], starts)


def test_symbols_are_joined_and_an_unknown_column_is_alone(made_up):
    block, ics = made_up

    def columns(block):
        return [block.values[:, 0], None, block.values[:, 2]]

    own = columns(block)
    once = factor_context([panel(block)], [own], [ics[:3]], standing=[0, 1, 2])
    assert [each["cluster"] for each in once] == [0, 1, 0]
    assert once[1]["autocorrelation"] == 0.0
    # The same rows at a level of their own, and a symbol too short to say anything.
    higher = replace(block, symbol="HIGHER", values=block.values + np.float32(1000.0))
    short = replace(
        block,
        symbol="SHORT",
        values=block.values[:10],
        **{
            name: getattr(block, name)[:10]
            for name in (
                "timestamp", "mid", "spread", "close", "segment", "history", "verdict", "row",
            )
        },
    )  # fmt: skip
    both = factor_context(
        [panel(block), panel(higher), panel(short)],
        [own, columns(higher), columns(short)],
        [ics[:3], ics[:3], np.empty((3, 0))],
        standing=[0, 1, 2],
    )
    assert [each["cluster"] for each in both] == [0, 1, 0]
    for place in (0, 2):
        assert both[place]["autocorrelation"] == pytest.approx(once[place]["autocorrelation"])
    assert both[0]["ic_by_day"][0]["n_blocks"] == 2 * once[0]["ic_by_day"][0]["n_blocks"]
    assert both[0]["ic_by_day"][0]["ic"] == pytest.approx(once[0]["ic_by_day"][0]["ic"])


def test_long_data_are_read_in_samples(made_up, monkeypatch):
    block, ics = made_up
    monkeypatch.setattr("alphaseeker.factors.context.SAMPLED_ROWS", 700)
    monkeypatch.setattr("alphaseeker.factors.context.SAMPLED_PAIRS", 700)

    taken = []

    class Counting(np.ndarray):
        def __getitem__(self, key):
            taken.append(len(key))
            return np.asarray(self)[key]

    counted = [column.view(Counting) for column in block.values.T[:3]]
    found = factor_context([panel(block)], [counted], [ics[:3]], standing=[0, 1, 2])
    assert len(taken) == 6
    assert all(rows <= 1400 for rows in taken)
    assert [each["cluster"] for each in found] == [0, 1, 0]
    assert found[0]["autocorrelation"] == pytest.approx(0.8, abs=0.1)
