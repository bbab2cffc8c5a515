"""The population stability index: its formula, its bias, its bins."""

import math

import numpy as np
import pytest

from alphaseeker.model.stability import bin_counts, bin_edges, stability_index


def test_the_formula_on_a_case_by_hand():
    share = np.array([0.25, 0.25, 0.25, 0.25])
    counts = np.array([100_000, 200_000, 300_000, 400_000])
    expected = sum((q - 0.25) * math.log(q / 0.25) for q in (0.1, 0.2, 0.3, 0.4))
    assert stability_index(share, counts, 10**9) == pytest.approx(expected, rel=1e-3)


def test_edges_are_deciles_of_what_is_known():
    values = np.arange(1, 101, dtype=np.float32)
    values = np.concatenate([values, np.full(7, np.nan, dtype=np.float32)])
    edges = bin_edges(values)
    assert edges.tolist() == list(range(10, 100, 10))
    assert bin_counts(values, edges).tolist() == [10] * 10 + [7]


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([1.0, 1.0, 2.0, 2.0], [1.0, 2.0], [2, 2, 0, 0]),
        ([5.0] * 3, [5.0], [3, 0, 0]),
        ([math.nan] * 3, [], [0, 3]),
        ([-math.inf, math.inf, 0.0], [-math.inf, 0.0, math.inf], [1, 1, 1, 0, 0]),
    ],
)
def test_few_different_values_have_few_bins(values, edges, counts):
    array = np.array(values, dtype=np.float32)
    assert bin_edges(array).tolist() == edges
    assert bin_counts(array, edges).tolist() == counts


def test_samples_of_one_distribution_are_near_zero_whatever_their_size():
    draws = np.random.default_rng(1)
    for n, m in ((60, 1_000), (500, 500), (5_000, 20_000)):
        found = []
        for _ in range(200):
            reference = draws.standard_normal(m).astype(np.float32)
            edges = bin_edges(reference)
            shares = bin_counts(reference, edges) / m
            live = draws.standard_normal(n).astype(np.float32)
            found.append(stability_index(shares, bin_counts(live, edges), m))
        # Without the correction the mean would be about 9 (1/n + 1/m).
        assert np.mean(found) < 0.5 * 9 * (1 / n + 1 / m)


def test_a_shift_a_change_of_scale_and_missing_values_show():
    draws = np.random.default_rng(2)
    reference = draws.standard_normal(2_000).astype(np.float32)
    edges = bin_edges(reference)
    shares = bin_counts(reference, edges) / len(reference)
    live = draws.standard_normal(500).astype(np.float32)
    for moved in (live + 1.0, 3.0 * live, np.where(draws.random(500) < 0.5, np.nan, live)):
        assert stability_index(shares, bin_counts(moved.astype(np.float32), edges), 2_000) > 0.25
