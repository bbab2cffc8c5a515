"""Every planted leak is real where it is used wrongly, and is prevented or found by the package."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.model_selection import KFold

from alphaseeker.config import Config, SplitConfig
from alphaseeker.training.combinatorial import CombinatorialPurged
from alphaseeker.training.dataset import join_blocks
from alphaseeker.training.folds import plan_folds
from alphaseeker.training.hindsight import check_columns, outlook
from alphaseeker.training.leaks import check_unrelated_labels
from alphaseeker.training.metrics import symbol_rank_correlation
from alphaseeker.training.pipeline import train_on_blocks
from alphaseeker.training.target import target_from_config
from alphaseeker.training.walk_forward import PurgedWalkForward
from known_blocks import VOLATILITY, block_of, persistent_block

ROWS, STEP_S, HORIZON_S = 12_000, 10.0, 60.0
SPAN = round(HORIZON_S / STEP_S)  # rows of a label
FAST = {"num_boost_round": 25, "early_stopping_rounds": 8, "num_threads": 1, "REFIT": False}
NAMES = ("momentum.return_60s", "flow.ofi_60s", "book.imbalance")


def walk(seed, rows=ROWS):
    return VOLATILITY * np.random.default_rng(seed).normal(size=rows)


def level(returns):
    """The logarithm of the mid at each row, as ``block_of`` makes it."""
    return np.concatenate([[0.0], np.cumsum(returns[:-1])])


def with_column(returns, column, segment=None):
    """A block of that column, and beside it two of noise."""
    noise = np.random.default_rng(1).normal(size=(len(returns), 2))
    values = np.column_stack([column, noise])
    return block_of(returns, values, step_s=STEP_S, names=NAMES, segment=segment)


def evaluation(block, **settings):
    config = Config().override({**FAST, "HORIZON_S": HORIZON_S, **settings})
    trained = train_on_blocks([block], config)
    return trained.results["evaluation_results"], trained.warnings


def accused(block, horizon_s=HORIZON_S):
    ahead = outlook([block], round(horizon_s * 1e9))
    found = check_columns(block.names, list(block.values.T), ahead, horizon_s=horizon_s)
    return {one.figures["column"]: one.sentence for one in found if not one.passed}


# ---- columns that look ahead ---------------------------------------------------------------------


def centred_average(returns, half):
    """The mean of the log mid over ``half`` rows on both sides, less the log mid itself."""
    price = level(returns)
    width = 2 * half + 1
    padded = np.pad(price, half, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid") - price


def trailing_average(returns, half):
    """The same over as many rows, all of them past."""
    price = level(returns)
    width = 2 * half + 1
    padded = np.pad(price, (width - 1, 0), mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid") - price


def test_a_centred_moving_average_gives_false_skill_and_is_suspected():
    returns = walk(0)
    card, warnings = evaluation(with_column(returns, centred_average(returns, SPAN)))
    assert card["intervals"]["log_loss_skill"][0] > 0.05
    assert card["ic"] > 0.4
    assert any("centred window" in warning for warning in warnings)
    causal, warnings = evaluation(with_column(returns, trailing_average(returns, SPAN)))
    assert causal["verdict"] == "no edge"
    assert not any("suspect" in warning for warning in warnings)


def fine_rows(returns, column):
    """The block with rows of a second: the next one is little of a horizon of 20 s."""
    block = with_column(returns, column)
    return dataclasses.replace(block, timestamp=block.timestamp // 10, history=block.history // 10)


def test_the_row_after_gives_false_skill_and_is_found():
    returns = walk(1, 4 * ROWS)
    leak = fine_rows(returns, returns)
    card, _ = evaluation(leak, HORIZON_S=20)
    assert card["intervals"]["log_loss_skill"][0] > 0.0
    assert 0.1 < card["ic"] < 0.3
    found = accused(leak, 20)
    assert "knows the next row" in found["momentum.return_60s"]
    assert set(found) == {"momentum.return_60s"}
    causal = fine_rows(returns, np.concatenate([[0.0], returns[:-1]]))
    assert accused(causal, 20) == {}
    assert evaluation(causal, HORIZON_S=20)[0]["verdict"] == "no edge"


def test_a_label_off_by_one_gives_false_skill_and_is_found():
    # Labels come from the mid at the row's own time, so that it takes a mid of the row before for
    # one to begin too early. Its first step is then known, and stands in the past return.
    returns = walk(2, 4 * ROWS)
    honest = fine_rows(returns, np.concatenate([[0.0], returns[:-1]]))
    late = np.concatenate([honest.mid[:1], honest.mid[:-1]])
    shifted = dataclasses.replace(honest, mid=late, close=late)
    card, _ = evaluation(shifted, HORIZON_S=20)
    assert card["ic"] > 0.1
    assert card["intervals"]["log_loss_skill"][0] > 0.0
    assert "the label begins a row early" in accused(shifted, 20)["momentum.return_60s"]
    assert evaluation(honest, HORIZON_S=20)[0]["verdict"] == "no edge"
    assert accused(honest, 20) == {}


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_the_label_among_the_columns_is_found(noise):
    returns = walk(3, 2 * ROWS)
    price = level(returns)
    ahead = np.full(len(price), np.nan)
    ahead[:-SPAN] = price[SPAN:] - price[:-SPAN]
    mixed = ahead + noise * np.nanstd(ahead) * np.random.default_rng(4).normal(size=len(ahead))
    block = with_column(returns, mixed)
    card, warnings = evaluation(block)
    assert card["ic"] > 0.2
    assert any("suspect: IC" in warning for warning in warnings)
    assert "knows the label" in accused(block)["momentum.return_60s"]
    assert set(accused(block)) == {"momentum.return_60s"}


def test_a_signal_that_fades_is_not_accused():
    # It knows the next row best and fades with a half-life of two: nothing ends with the label.
    random = np.random.default_rng(5)
    shocks = random.normal(size=4 * ROWS)
    known = lfilter([1.0], [1.0, -(0.5**0.5)], shocks)
    known /= known.std()
    returns = VOLATILITY * (0.2 * known + random.normal(size=len(known)))
    block = with_column(returns, known)
    ahead = outlook([block], round(HORIZON_S * 1e9))
    ranks = ahead.stretches["whole"]
    ic = symbol_rank_correlation(known[ahead.chosen], ranks, ahead.symbol)
    assert ic > 0.15
    assert accused(block) == {}


def test_scaling_by_the_whole_sample_gives_false_skill():
    # Sessions of 200 rows. How far a random walk stands from the mean of its whole session tells
    # where it will go; how far from its mean so far tells nothing.
    rows, length = ROWS, 200
    returns = walk(6, rows)
    segment = np.arange(rows) // length
    price = level(returns).reshape(-1, length)
    whole = price - price.mean(axis=1, keepdims=True)
    so_far = price - np.cumsum(price, axis=1) / np.arange(1, length + 1)
    hindsight, _ = evaluation(with_column(returns, whole.ravel(), segment), READY_HISTORY_S=0)
    causal, _ = evaluation(with_column(returns, so_far.ravel(), segment), READY_HISTORY_S=0)
    assert hindsight["intervals"]["log_loss_skill"][0] > 0.0
    assert hindsight["intervals"]["ic"][0] > 0.05
    assert hindsight["verdict"] != "no edge"
    assert causal["verdict"] == "no edge"


# ---- splits --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noise():
    """Matrix, class, times and label ends of persistent noise beside overlapping labels."""
    horizon_s = 200.0
    block = persistent_block(8_000, seed=7, columns=5, step_s=STEP_S, memory=0.98)
    rows = join_blocks([block], target_from_config(Config().override({"HORIZON_S": horizon_s})))
    known = np.flatnonzero(np.isfinite(rows.forward_return))
    outcome = rows.forward_return[known]
    label = np.digitize(outcome, np.quantile(outcome, (1 / 3, 2 / 3)))
    return block.values[known], label, rows.timestamp[known], outcome, horizon_s


def skill_of(splits, noise):
    """The pooled skill over the prior and the IC of a small LightGBM model over test parts."""
    import lightgbm

    matrix, label, _, outcome, _ = noise
    gains, scores, outcomes = [], [], []
    for train, test in splits:
        data = lightgbm.Dataset(matrix[train], label[train])
        params = {
            "objective": "multiclass",
            "num_class": 3,
            "num_leaves": 31,
            "num_threads": 1,
            "verbosity": -1,
        }
        found = lightgbm.train(params, data, num_boost_round=20).predict(matrix[test])
        prior = np.bincount(label[train], minlength=3) / len(train)
        own = found[np.arange(len(test)), label[test]]
        gains.append(np.log(own) - np.log(prior[label[test]]))
        scores.append(found[:, 2] - found[:, 0])
        outcomes.append(outcome[test])
    score, outcome = np.concatenate(scores), np.concatenate(outcomes)
    ic = symbol_rank_correlation(score, outcome, np.zeros(len(score), np.int64))
    return float(np.concatenate(gains).mean()), ic


def test_shuffled_folds_make_skill_of_noise_and_purged_ones_do_not(noise):
    matrix, _, times, _, horizon_s = noise
    skill, ic = skill_of(KFold(5, shuffle=True, random_state=0).split(matrix), noise)
    assert skill > 0.1
    assert ic > 0.3
    purged = PurgedWalkForward(5, label_span_s=horizon_s, embargo_s=60.0)
    skill, ic = skill_of(purged.split(matrix, timestamps=times), noise)
    assert skill < 0.0
    assert abs(ic) < 0.15


def test_folds_without_a_gap_make_skill_of_noise_and_purged_ones_do_not(noise):
    # Test parts as short as a label, training rows right up to them on both sides.
    matrix, _, times, _, horizon_s = noise
    parts = list(KFold(1000).split(matrix))[::12]
    skill, ic = skill_of(parts, noise)
    assert skill > 0.0
    assert ic > 0.15
    gap = round((horizon_s + 60.0) * 1e9)
    apart = [
        (
            train[(times[train] < times[test[0]] - gap) | (times[train] > times[test[-1]] + gap)],
            test,
        )
        for train, test in parts
    ]
    skill, ic = skill_of(apart, noise)
    assert skill < 0.0
    assert ic < 0.05
    combinatorial = CombinatorialPurged(6, 2, label_span_s=horizon_s, embargo_s=60.0)
    skill, ic = skill_of(combinatorial.split(matrix, timestamps=times), noise)
    assert skill < 0.0
    assert abs(ic) < 0.15


@pytest.mark.parametrize("embargo_s", [0.0, 30.0])
def test_the_splits_of_the_package_always_have_the_gap(noise, embargo_s):
    matrix, _, times, _, horizon_s = noise
    span = round(horizon_s * 1e9)
    config = SplitConfig(EMBARGO_S=embargo_s)
    gap = span + round(embargo_s * 1e9)
    plan = plan_folds(times, np.zeros(len(times), np.int64), label_span_ns=span, config=config)
    for fold in plan.folds:
        last = [times[fold.rows(part, times)].max() for part in ("train", "validation")]
        first = [times[fold.rows(part, times)].min() for part in ("validation", "test")]
        assert all(start - end >= gap for end, start in zip(last, first, strict=True))
    walks = PurgedWalkForward(4, label_span_s=horizon_s, embargo_s=embargo_s)
    for train, test in walks.split(matrix, timestamps=times):
        assert times[test].min() - times[train].max() >= gap


def test_persistent_noise_with_overlapping_labels_has_no_edge():
    card, _ = evaluation(persistent_block(ROWS, seed=8, columns=12, step_s=STEP_S))
    assert card["verdict"] == "no edge"


# ---- a test part that repeats the training part --------------------------------------------------


def repeated(times):
    """Persistent noise whose rows come again ``times`` times under later dates."""
    block = persistent_block(ROWS // times, seed=9, columns=12, step_s=STEP_S)
    steps = np.diff(np.log(block.mid), append=np.log(block.mid[-1]))
    return block_of(np.tile(steps, times), np.tile(block.values, (times, 1)), step_s=STEP_S)


def test_rows_that_come_twice_give_false_skill_and_are_found():
    config = Config().override({**FAST, "HORIZON_S": HORIZON_S})
    (found,) = check_unrelated_labels([repeated(4)], config)
    assert not found.passed
    assert "stand twice" in found.sentence
    (clean,) = check_unrelated_labels([repeated(1)], config)
    assert clean.passed
