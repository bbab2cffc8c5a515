import json
import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaseeker.config import Config
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.scorecard import held_back, score
from alphaseeker.training.target import target_from_config
from alphaseeker.training.trades import simulate_trades
from oracles import metrics as oracle

SECOND = 1_000_000_000
PRIOR = np.array([0.3, 0.4, 0.3])


def made_up(make_block, n, seed=0, edge=0.5):
    """Held-back rows and probabilities that know something about them."""
    random = np.random.default_rng(seed)
    step = 1e-3 * random.normal(size=n + 1)
    block = make_block(100 * np.exp(np.concatenate([[0.0], np.cumsum(step)[:-1]])))
    target = target_from_config(Config().override({"HORIZON_S": 1}))
    rows = join_blocks([block], target).take(np.arange(n))
    label = np.digitize(rows.forward_return, [-4e-4, 4e-4]).astype(np.int8)
    known = edge * rows.forward_return / 1e-3 + random.normal(size=n)
    scores = np.column_stack([-0.3 * known, np.zeros(n), 0.3 * known])
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    held = held_back(rows, label, prior=PRIOR, label_span_ns=SECOND)
    return held, probabilities, probabilities.argmax(axis=1).astype(np.int8)


def test_points_equal_their_definitions(make_block):
    held, probabilities, choice = made_up(make_block, 900)
    side = (choice - 1).astype(np.int8)
    trades = simulate_trades(held.rows, side, transaction_cost=5e-4)
    card = score(held, probabilities, choice, trades)
    own = np.log(probabilities[np.arange(900), held.label])
    assert card["log_loss"] == pytest.approx(-own.mean())
    assert card["log_loss_skill"] == pytest.approx((own - np.log(PRIOR)[held.label]).mean())
    assert card["ece"] == pytest.approx(oracle.calibration_error(probabilities, held.label))
    assert card["brier"] == pytest.approx(oracle.brier(probabilities, held.label))
    direction = probabilities[:, 2] - probabilities[:, 0]
    outcome = held.rows.forward_return
    assert card["ic_pooled"] == pytest.approx(spearmanr(direction, outcome).statistic)
    blocks = oracle.group_correlations(direction, outcome, held.cell)
    assert card["ic"] == pytest.approx(np.nanmean(blocks))
    assert card["ic_blocks"] == np.isfinite(blocks).sum()
    assert card["net_return_bp"] == pytest.approx(1e4 * trades.net.mean())
    # At the break-even cost the same trades earn nothing.
    even = simulate_trades(held.rows, side, transaction_cost=card["break_even_cost_bp"] / 1e4)
    assert even.net.mean() == pytest.approx(0.0, abs=1e-15)
    json.dumps(card, allow_nan=False)


def test_intervals_hold_their_points_and_find_the_skill(make_block):
    held, probabilities, choice = made_up(make_block, 6000)
    trades = simulate_trades(held.rows, (choice - 1).astype(np.int8), transaction_cost=5e-4)
    card = score(held, probabilities, choice, trades)
    for name, (low, high) in card["intervals"].items():
        assert low <= high, name
        if name != "ece":  # an absolute value is larger in every draw than in the whole
            assert low <= card[name] <= high, name
    assert card["intervals"]["log_loss_skill"][0] > 0.0
    assert card["intervals"]["ic"][0] > 0.2


def test_several_symbols_are_ranked_apart(make_block):
    random = np.random.default_rng(0)
    target = target_from_config(Config().override({"HORIZON_S": 1}))
    blocks = [make_block(100 * np.exp(np.cumsum(1e-3 * random.normal(size=801)))) for _ in "ab"]
    rows = join_blocks(blocks, target)
    rows = rows.take(np.flatnonzero(rows.usable))
    # Right within each symbol, and shifted between them: pooled ranks see the shift alone.
    strength = 0.5 + 20.0 * rows.forward_return + 0.3 * (rows.symbol - 0.5)
    probabilities = np.column_stack([(1 - strength) * 0.8, np.full(len(rows), 0.2), strength * 0.8])
    label = np.ones(len(rows), np.int8)
    held = held_back(rows, label, prior=PRIOR, label_span_ns=SECOND)
    card = score(held, probabilities, label)
    assert card["ic"] == pytest.approx(1.0)
    assert card["ic_pooled"] < 0.8


def test_constant_probabilities_have_no_skill_and_no_interval(make_block):
    held, _, _ = made_up(make_block, 500)
    constant = np.tile(PRIOR, (500, 1))
    card = score(held, constant, np.ones(500, np.int8))
    assert card["log_loss_skill"] == 0.0
    assert card["ic"] == card["ic_pooled"] == card["mcc"] == 0.0
    assert card["intervals"]["ic"] == card["intervals"]["ic_pooled"] == [0.0, 0.0]


def test_a_hundred_thousand_rows_take_less_than_two_seconds(make_block):
    held, probabilities, choice = made_up(make_block, 100_000)
    score(held, probabilities, choice)
    start = time.process_time()
    score(held, probabilities, choice)
    assert time.process_time() - start < 2.0
