"""What a column knows of the stretches after a row; the planted leaks stand in the leak suite."""

import dataclasses

import numpy as np
import pytest

from alphaseeker.config import Config
from alphaseeker.features.batch import compute_features
from alphaseeker.features.settings import fit_settings
from alphaseeker.market.readers import read_ticks
from alphaseeker.training.bootstrap import resample_counts
from alphaseeker.training.hindsight import check_columns, outlook
from alphaseeker.training.leak_finding import Finding, drawn_correlations, surely_above
from known_blocks import block_of, planted_block


def ask(block, horizon_s):
    ahead = outlook([block], round(horizon_s * 1e9))
    return check_columns(block.names, list(block.values.T), ahead, horizon_s=horizon_s)


def white(rows=20_000, seed=0):
    return 3e-4 * np.random.default_rng(seed).normal(size=rows)


def test_stretches_are_the_returns_of_their_times():
    returns = white(4_000)
    block = block_of(returns, np.zeros((4_000, 1)), step_s=1.0, spread=0.0)
    ahead = outlook([block], 20 * 10**9)
    assert set(ahead.stretches) == {"whole", "later", "second half", "beyond"}
    assert ahead.skip_s == 1.0
    price = np.log(block.mid)
    for name, (begin, end) in {
        "whole": (0, 20),
        "later": (1, 20),
        "second half": (10, 20),
        "beyond": (20, 30),
    }.items():
        expected = price[ahead.chosen + end] - price[ahead.chosen + begin]
        order = np.argsort(expected)
        assert (np.diff(ahead.stretches[name][order]) >= 0.0).all(), name


def test_rows_as_far_apart_as_the_label_are_compared_with_the_next_label():
    block = block_of(white(4_000), np.zeros((4_000, 1)), step_s=60.0)
    assert set(outlook([block], 60 * 10**9).stretches) == {"whole", "beyond"}
    # A row that is more than a tenth of the horizon is too much to leave out.
    near = block_of(white(4_000), np.zeros((4_000, 1)), step_s=20.0)
    assert "later" not in outlook([near], 60 * 10**9).stretches


def test_short_data_is_not_judged():
    block = block_of(white(900), np.zeros((900, 1)), step_s=1.0)
    assert outlook([block], 10**9) is None
    block = block_of(white(5_000), np.zeros((5_000, 1)), step_s=1.0)
    assert outlook([block], 60 * 10**9) is None
    assert outlook([block], 10 * 10**9) is not None


def test_a_weak_signal_of_one_row_is_no_leak():
    # Of rows a label apart each signal ends with its label; only a strong one is suspect.
    assert ask(planted_block(20_000, seed=0, columns=4), 60.0)[0].passed
    returns = white()
    noisy = returns + 3e-4 * np.random.default_rng(1).normal(size=len(returns))
    found = ask(block_of(returns, noisy[:, None], step_s=60.0), 60.0)
    assert "knows too much" in found[0].sentence
    assert found[0].figures["ic whole"] > 0.65


def test_a_column_that_is_rarely_seen_is_not_judged():
    returns = white()
    column = returns.copy()
    column[200:] = np.nan
    block = block_of(returns, np.column_stack([column, column]), step_s=60.0)
    (found,) = ask(block, 60.0)
    assert found.passed
    assert found.figures["columns"] == 0


def test_rows_are_thinned_and_symbols_ranked_apart(monkeypatch):
    monkeypatch.setattr("alphaseeker.training.hindsight.MOST_ROWS", 5_000)
    blocks = [
        dataclasses.replace(
            block_of(white(8_000, seed), white(8_000, seed)[:, None], step_s=1.0), symbol=str(seed)
        )
        for seed in range(2)
    ]
    ahead = outlook(blocks, 20 * 10**9)
    assert len(ahead.chosen) <= 5_000
    assert set(ahead.symbol) == {0, 1}
    columns = [np.concatenate([block.values[:, 0] for block in blocks])]
    (found,) = check_columns(blocks[0].names, columns, ahead, horizon_s=20.0)
    assert "knows the next row" in found.sentence


@pytest.mark.parametrize(
    ("name", "horizon_s"),
    [
        ("spot_NEXOUSDT_1s", 60.0),
        ("usdm_BTCUSDT_quotes", 1.0),
        ("usdm_BTCUSDT_100ms_depth10", 1.0),
        ("crypto_1m", 60.0),
        ("crypto_1m", 300.0),
    ],
)
def test_the_captures_pass(captures, name, horizon_s):
    series = read_ticks(captures / f"{name}.parquet")
    settings = fit_settings(series, Config())
    names = ("book.imbalance", "book.microprice_dev", "book.last_in_spread", "momentum.return_60s")
    blocks = [compute_features(one, settings=settings, names=names) for one in series]
    columns = [np.concatenate([b.values[:, c] for b in blocks]) for c in range(len(names))]
    ahead = outlook(blocks, round(horizon_s * 1e9))
    (found,) = check_columns(names, columns, ahead, horizon_s=horizon_s)
    assert found.passed, found.sentence


def test_drawn_correlations_are_pearson_of_the_rows_drawn():
    random = np.random.default_rng(0)
    left = random.normal(size=600)
    right = 0.5 * left + random.normal(size=600)
    cell = np.arange(600) // 20
    point, draws = drawn_correlations(left, [right, np.ones(600)], cell)
    assert point[0] == pytest.approx(np.corrcoef(left, right)[0, 1])
    assert point[1] == 0.0
    counts = resample_counts(30)[7].astype(int)
    rows = np.repeat(np.arange(600), counts[cell])
    assert draws[7, 0] == pytest.approx(np.corrcoef(left[rows], right[rows])[0, 1])
    assert surely_above(point[0], draws[:, 0])
    assert not surely_above(0.0, draws[:, 0])


def test_a_finding_is_plain():
    found = Finding(check="x", passed=True, sentence="fine", figures={"column": "a"})
    assert found.as_dict() == {
        "check": "x",
        "passed": True,
        "judged": True,
        "sentence": "fine",
        "figures": {"column": "a"},
    }
