import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from alphaseeker.training.direction import blend_weights, direction_scores, fit_direction


def market(n=4000, seed=0, slope=1.0):
    """Two columns of which the first leads, and classes by terciles of what follows."""
    random = np.random.default_rng(seed)
    columns = [random.normal(size=n).astype(np.float32) for _ in range(2)]
    latent = slope * columns[0] + random.normal(size=n)
    return columns, np.digitize(latent, [-0.5, 0.5]).astype(np.int8), np.ones(n)


def oracle(columns, label, weight):
    """The penalised likelihood of up against down, by a general minimiser."""
    clipped = [np.clip(c, *np.quantile(c, (0.005, 0.995))) for c in map(np.float64, columns)]
    matrix = np.column_stack([c / c.std() for c in clipped])
    moved = label != 1
    up = label[moved] == 2

    def loss(beta):
        z = matrix[moved] @ beta
        own = np.where(up, expit(z), expit(-z))
        return 0.5 * beta @ beta - (weight[moved] * np.log(own)).sum()

    return matrix @ minimize(loss, np.zeros(len(columns)), tol=1e-10).x / 2.0


def test_steps_follow_the_regression():
    columns, label, weight = market()
    steps = fit_direction(columns, ("a", "b"), label, weight)
    exact = oracle(columns, label, weight)
    found = direction_scores(steps, columns)
    assert [one.name for one in steps] == ["a", "b"]
    assert all(len(one.values) <= 63 for one in steps)
    assert np.corrcoef(found, exact)[0, 1] > 0.998
    assert found.mean() == pytest.approx(exact.mean(), abs=1e-3)


def test_weights_shrink_and_choose():
    columns, label, weight = market()
    little = direction_scores(fit_direction(columns, "ab", label, 1e-3 * weight), columns)
    much = direction_scores(fit_direction(columns, "ab", label, weight), columns)
    assert np.abs(little).max() < 0.5 * np.abs(much).max()
    only = np.where(columns[0] > 0.0, 0.0, 1.0)
    chosen = fit_direction(columns, "ab", label, only)
    same = [column[columns[0] <= 0.0] for column in columns]
    alone = oracle(same, label[columns[0] <= 0.0], np.ones(len(same[0])))
    assert np.corrcoef(direction_scores(chosen, same), alone)[0, 1] > 0.98


def test_up_and_down_mirror_each_other():
    columns, label, weight = market()
    mirrored = fit_direction([-column for column in columns], "ab", 2 - label, weight)
    found = direction_scores(mirrored, [-column for column in columns])
    ours = direction_scores(fit_direction(columns, "ab", label, weight), columns)
    assert np.corrcoef(found, -ours)[0, 1] > 0.999
    assert found.mean() == pytest.approx(-ours.mean(), abs=1e-2)


def test_a_missing_value_says_what_zero_says():
    columns, label, weight = market()
    columns[0][::5] = np.nan
    steps = fit_direction(columns, "ab", label, weight)
    missing, zero = [np.full(3, value, np.float32) for value in (np.nan, 0.0)]
    assert (direction_scores(steps, [missing] * 2) == direction_scores(steps, [zero] * 2)).all()


def test_few_levels_and_constants():
    columns, label, weight = market()
    columns[0] = np.round(columns[0])
    columns[1][:] = 3.0
    (only,) = fit_direction(columns, "ab", label, weight)
    assert only.name == "a"
    # Levels below the lowest cut share a step.
    assert set(only.thresholds) <= set(columns[0])
    assert only.counts.sum() == len(label)
    assert fit_direction([columns[1]], "b", label, weight) == ()
    assert fit_direction([columns[0]], "a", np.ones(len(label), np.int8), weight) == ()


def test_the_blend_is_the_best_of_a_grid():
    random = np.random.default_rng(1)
    n = 3000
    lean = random.normal(size=n)
    trees = 0.7 * random.normal(size=(n, 3))
    logits = 0.6 * trees + np.column_stack([-0.4 * lean, np.zeros(n), 0.4 * lean])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (shares.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).astype(np.int8)
    weight = random.random(n)
    prior = np.log(np.full(3, 1 / 3))

    def loss(pair):
        raw = pair[0] * trees + pair[1] * np.column_stack([-lean, np.zeros(n), lean]) + prior
        logs = raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))
        return -(weight * logs[np.arange(n), label]).sum()

    best = blend_weights(trees, lean, label, weight, prior)
    assert best == pytest.approx((0.6, 0.4), abs=0.1)
    for first in np.linspace(0, 1, 11):
        for second in np.linspace(0, 1, 11):
            assert loss(best) <= loss((first, second)) + 1e-6


def test_parts_that_say_nothing_are_left_out():
    random = np.random.default_rng(2)
    label = random.integers(0, 3, 500).astype(np.int8)
    wrong = np.where(label == 2, -1.0, np.where(label == 0, 1.0, 0.0))
    right = np.zeros((500, 3))
    right[np.arange(500), label] = 1.0
    prior = np.log(np.full(3, 1 / 3))
    assert blend_weights(right, wrong, label, np.ones(500), prior)[1] == 0.0
    assert blend_weights(-right, -wrong, label, np.ones(500), prior) == (0.0, 1.0)
    # Nothing at all: the trees stay, for the temperature to silence.
    assert blend_weights(-right, wrong, label, np.ones(500), prior) == (1.0, 0.0)


def test_trees_without_a_split_are_left_out():
    random = np.random.default_rng(3)
    lean = random.normal(size=800)
    label = np.where(lean + random.normal(size=800) > 0.0, 2, 0).astype(np.int8)
    prior = np.log(np.full(3, 1 / 3))
    silent = np.full((800, 3), 1e-12)
    first, second = blend_weights(silent, lean, label, np.ones(800), prior)
    assert (first, second > 0.5) == (0.0, True)
    assert blend_weights(silent, -lean, label, np.ones(800), prior) == (1.0, 0.0)
