import dataclasses
import json
import time

import numpy as np
import pytest
from scipy.stats import spearmanr

from alphaseeker.config import Config
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.scorecard import (
    held_back,
    information_coefficients,
    score,
    skill_ahead,
)
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
    outcome, alone = held.rows.forward_return, np.zeros(900, np.int64)
    assert card["ic_pooled"] == pytest.approx(spearmanr(direction, outcome).statistic)
    assert card["ic"] == pytest.approx(oracle.signed_correlation(direction, outcome, alone))
    assert card["net_return_bp"] == pytest.approx(1e4 * trades.net.mean())
    # At the break-even cost the same trades earn nothing.
    even = simulate_trades(held.rows, side, transaction_cost=card["break_even_cost_bp"] / 1e4)
    assert even.net.mean() == pytest.approx(0.0, abs=1e-15)
    json.dumps(card, allow_nan=False)


def test_the_coefficients_alone_are_those_of_the_card(make_block):
    held, probabilities, choice, *_ = made_up(make_block, 700, seed=5)
    card = score(held, probabilities, choice)
    found = information_coefficients(held, probabilities[:, 2] - probabilities[:, 0])
    assert found == pytest.approx((card["ic"], card["ic_pooled"]), abs=1e-12)
    assert information_coefficients(held, np.full(700, 0.1)) == (0.0, 0.0)


def test_intervals_hold_their_points_and_find_the_skill(make_block):
    held, probabilities, choice = made_up(make_block, 6000)
    trades = simulate_trades(held.rows, (choice - 1).astype(np.int8), transaction_cost=5e-4)
    card = score(held, probabilities, choice, trades)
    for name, (low, high) in card["intervals"].items():
        assert low <= high, name
        assert low <= card[name] <= high, name
    assert "ece" not in card["intervals"]
    assert card["intervals"]["log_loss_skill"][0] > 0.0
    assert card["intervals"]["ic"][0] > 0.2


def test_several_symbols_are_ranked_apart(make_block):
    random = np.random.default_rng(0)
    target = target_from_config(Config().override({"HORIZON_S": 1}))
    blocks = [make_block(100 * np.exp(np.cumsum(1e-3 * random.normal(size=801)))) for _ in "ab"]
    rows = join_blocks(blocks, target)
    rows = rows.take(np.flatnonzero(rows.usable))
    # Right within each symbol, and shifted between them.
    strength = 0.5 + 20.0 * rows.forward_return + 0.3 * (rows.symbol - 0.5)
    probabilities = np.column_stack([(1 - strength) * 0.8, np.full(len(rows), 0.2), strength * 0.8])
    label = np.ones(len(rows), np.int8)
    held = held_back(rows, label, prior=PRIOR, label_span_ns=SECOND)
    card = score(held, probabilities, label)
    assert card["ic_pooled"] == pytest.approx(1.0)
    # Measured from zero, the score says up for one symbol and down for the other.
    assert card["ic"] < 0.8


def test_constant_probabilities_have_no_skill_and_no_interval(make_block):
    held, _, _ = made_up(make_block, 500)
    constant = np.tile(PRIOR, (500, 1))
    card = score(held, constant, np.ones(500, np.int8))
    assert card["log_loss_skill"] == 0.0
    assert card["ic"] == card["ic_pooled"] == card["mcc"] == 0.0
    assert card["intervals"]["ic"] == card["intervals"]["ic_pooled"] == [0.0, 0.0]


def test_priors_that_differ_between_folds_are_no_forecast(make_block):
    held, _, _ = made_up(make_block, 900)
    lean = np.where(np.arange(900) < 450, 0.1, -0.1)
    prior = PRIOR + np.outer(lean, [-0.5, 0.0, 0.5])
    both = dataclasses.replace(held, prior=prior)
    # A model that repeats its own prior, but for what float32 leaves of it.
    silent = prior + np.outer(np.where(lean > 0.0, 3e-9, -2e-9), [-1.0, 0.0, 1.0])
    card = score(both, silent, np.ones(900, np.int8))
    assert (card["ic"], card["ic_pooled"], card["auc"]) == (0.0, 0.0, 0.5)


def test_a_past_return_on_a_random_walk_has_no_ic(make_block):
    target = target_from_config(Config().override({"HORIZON_S": 60}))
    found = []
    for seed in range(25):
        walk = np.cumsum(1e-4 * np.random.default_rng(seed).normal(size=12_300))
        rows = join_blocks([make_block(100 * np.exp(walk))], target)
        chosen = np.arange(200, 12_200)
        past = walk[chosen] - walk[chosen - 60]
        strength = 0.5 + 10.0 * past
        probabilities = np.column_stack(
            [(1 - strength) * 0.6, np.full(12_000, 0.4), strength * 0.6]
        )
        label = np.ones(12_000, np.int8)
        held = held_back(rows.take(chosen), label, prior=PRIOR, label_span_ns=60 * SECOND)
        card = score(held, probabilities, label)
        found.append((card["ic"], card["ic_pooled"]))
    # By blocks of 300 s it was -.22; one walk has a deviation of .06.
    assert np.abs(np.mean(found, axis=0)).max() < 3 * 0.06 / 5
    assert np.abs(np.mean(found, axis=0)[0]) < 0.02


def test_few_cells_have_points_and_no_intervals(make_block):
    held, probabilities, choice = made_up(make_block, 95)
    assert held.n_cells == 19
    card = score(held, probabilities, choice)
    assert set(map(len, card["intervals"].values())) == {0}
    assert card["log_loss_skill"] != 0.0
    assert skill_ahead(held, probabilities, np.tile(PRIOR, (95, 1)))[1] == []
    held, probabilities, choice = made_up(make_block, 100)
    assert len(score(held, probabilities, choice)["intervals"]["ic"]) == 2


def test_a_rival_is_compared_draw_by_draw(make_block):
    held, probabilities, choice = made_up(make_block, 6000)
    ahead, bounds = skill_ahead(held, probabilities, np.tile(PRIOR, (6000, 1)))
    card = score(held, probabilities, choice)
    assert ahead == pytest.approx(card["log_loss_skill"])
    assert bounds == pytest.approx(card["intervals"]["log_loss_skill"])
    assert skill_ahead(held, probabilities, probabilities) == (0.0, [0.0, 0.0])


def test_without_trades_the_break_even_is_that_of_every_choice(make_block):
    held, probabilities, choice = made_up(make_block, 900)
    side = (choice - 1).astype(np.int8)
    every = simulate_trades(held.rows, side, transaction_cost=5e-4)
    none = simulate_trades(held.rows, np.zeros_like(side), transaction_cost=5e-4)
    card = score(held, probabilities, choice, none, every)
    assert card["net_return_bp"] == 0.0
    assert card["intervals"]["net_return_bp"] == []
    assert card["net_return_all_bp"] == pytest.approx(1e4 * every.net.mean())
    assert card["break_even_cost_bp"] == pytest.approx(0.5e4 * every.gross.mean())
    few = simulate_trades(held.rows, side * (np.arange(900) < 300), transaction_cost=5e-4)
    card = score(held, probabilities, choice, few, every)
    assert card["break_even_cost_bp"] == pytest.approx(0.5e4 * few.gross.mean())


def test_a_hundred_thousand_rows_take_less_than_two_seconds(make_block):
    held, probabilities, choice = made_up(make_block, 100_000)
    score(held, probabilities, choice)
    spent = []
    for _ in range(3):
        start = time.thread_time()
        score(held, probabilities, choice)
        spent.append(time.thread_time() - start)
    assert min(spent) < 2.0
