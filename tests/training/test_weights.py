import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from alphaseeker.errors import DataError
from alphaseeker.training.weights import (
    average_uniqueness,
    class_factors,
    recency_weights,
    require_class_weights,
    sample_weights,
)
from oracles import weights as oracle

SECOND = 1_000_000_000
DAY = 86_400 * SECOND

# Few times, so that starts and ends meet; symbols out of order.
LABELS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=25
)


def columns(labels, scale=1):
    start, length, symbol = (np.array(column, np.int64) for column in zip(*labels, strict=True))
    return start * scale, (start + length) * scale, symbol


def random_labels(rows=60, seed=0):
    random = np.random.default_rng(seed)
    start = 1_700_000_000 * SECOND + random.integers(0, 40 * SECOND, rows)
    return start, start + random.integers(0, 9 * SECOND, rows), random.integers(0, 3, rows)


# ---- uniqueness -------------------------------------------------------------------------------


def test_the_reference_vector():
    spans = [[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert oracle.bar_uniqueness(spans) == pytest.approx([0.8333, 0.75, 1.0], abs=5e-5)
    start, end = np.array([0, 2, 4]) * SECOND, np.array([3, 4, 6]) * SECOND
    found = average_uniqueness(start, end, np.zeros(3, np.int64))
    assert found.tolist() == pytest.approx([5 / 6, 3 / 4, 1.0])


@given(LABELS)
def test_on_bars_of_equal_length_it_is_that_of_bars(labels):
    start, end, _ = columns([(s, max(n, 1), 0) for s, n, _ in labels], SECOND)
    bars = np.arange(20) * SECOND
    spans = ((start[:, None] <= bars) & (bars < end[:, None])).astype(int).tolist()
    found = average_uniqueness(start, end, np.zeros(len(start), np.int64))
    np.testing.assert_allclose(found, oracle.bar_uniqueness(spans), rtol=1e-14)


@given(LABELS, st.sampled_from([1, 7 * SECOND]))
@settings(max_examples=200)
def test_uniqueness_equals_its_oracle(labels, scale):
    start, end, symbol = columns(labels, scale)
    expected = oracle.uniqueness(start, end, symbol)
    np.testing.assert_allclose(average_uniqueness(start, end, symbol), expected, rtol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_uniqueness_of_times_in_nanoseconds_equals_its_oracle(seed):
    start, end, symbol = random_labels(seed=seed)
    expected = oracle.uniqueness(start, end, symbol)
    np.testing.assert_allclose(average_uniqueness(start, end, symbol), expected, rtol=1e-13)


def test_years_of_labels_cost_no_digits():
    # A label of 3 ns among labels of hours, years after the first one.
    start = np.append(np.arange(50_000) * 3600 * SECOND, 40_000 * 3600 * SECOND + 11)
    end = np.append(start[:-1] + 7000 * SECOND, start[-1] + 3)
    found = average_uniqueness(start, end, np.zeros(len(start), np.int64))
    assert found[-1] == pytest.approx(1 / 3, rel=1e-12)
    assert found[25_000] == pytest.approx((2 * 3400 / 2 + 200) / 7000, rel=1e-12)


def test_symbols_do_not_compete_and_order_does_not_matter():
    start, end, symbol = random_labels(seed=5)
    found = average_uniqueness(start, end, symbol)
    for one in range(3):
        rows = symbol == one
        alone = average_uniqueness(start[rows], end[rows], np.zeros(rows.sum(), np.int64))
        np.testing.assert_allclose(found[rows], alone, rtol=1e-14)
    turned = np.random.default_rng(0).permutation(len(start))
    shuffled = average_uniqueness(start[turned], end[turned], symbol[turned])
    np.testing.assert_allclose(shuffled, found[turned], rtol=1e-14)
    assert ((found > 0.0) & (found <= 1.0)).all()


def test_labels_that_meet_do_not_overlap():
    start, end = np.array([0, 5, 5, 10]), np.array([5, 10, 5, 11])
    found = average_uniqueness(start, end, np.zeros(4, np.int64))
    # The third has no length: it shares its moment with the second.
    assert found.tolist() == [1.0, 1.0, 0.5, 1.0]


def test_a_label_of_no_length_counts_who_holds_its_moment():
    start, end = np.array([0, 3, 3, 7]), np.array([9, 3, 3, 7])
    found = average_uniqueness(start, end, np.array([4, 4, 4, 6]))
    assert found.tolist() == [1.0, 1 / 3, 1 / 3, 1.0]


# ---- recency and classes ----------------------------------------------------------------------


def test_recency_halves_with_every_half_life():
    times = np.array([3, 1, 2, 0]) * DAY + 1_700_000_000 * SECOND
    found = recency_weights(times, half_life_ns=DAY)
    np.testing.assert_allclose(found, oracle.recency(times.tolist(), DAY), rtol=1e-14)
    np.testing.assert_allclose(found / found[0], [1.0, 0.25, 0.5, 0.125], rtol=1e-14)
    assert found.mean() == pytest.approx(1.0)


def test_old_rows_vanish_and_a_long_half_life_forgets_nothing():
    times = np.array([0, 2000 * DAY])
    assert recency_weights(times, half_life_ns=DAY).tolist() == [0.0, 2.0]
    assert recency_weights(times, half_life_ns=1e300).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("classes", [[0, 1, 2], [1], [0, 2]])
def test_equal_weights_are_balanced_as_scikit_learn_does(classes):
    label = np.random.default_rng(1).choice(classes, size=200).astype(np.int8)
    factors = class_factors(np.ones(200), label)
    expected = compute_sample_weight("balanced", label)
    np.testing.assert_allclose(factors[label], expected, rtol=1e-12)
    assert set(np.flatnonzero(factors)) == set(classes)


def test_balancing_keeps_the_total_and_makes_classes_equal():
    random = np.random.default_rng(3)
    label = random.choice(3, p=[0.6, 0.3, 0.1], size=500).astype(np.int8)
    weights = random.exponential(size=500)
    found = weights * class_factors(weights, label)[label]
    np.testing.assert_allclose(np.bincount(label, found), weights.sum() / 3, rtol=1e-12)
    expected = oracle.balanced(weights.tolist(), label.tolist())
    np.testing.assert_allclose(found / found.mean(), expected, rtol=1e-10)


def test_all_together_equal_the_product_of_the_oracles():
    start, end, symbol = random_labels(seed=7)
    own = np.array(oracle.uniqueness(start, end, symbol))
    old = np.array(oracle.recency(start.tolist(), 10 * SECOND))
    found = sample_weights(start, end, symbol, half_life_ns=10 * SECOND)
    np.testing.assert_allclose(found, own * old * own.sum() / (own * old).sum(), rtol=1e-10)


@pytest.mark.parametrize("unique", [True, False])
@pytest.mark.parametrize("half_life_ns", [None, 5 * SECOND])
def test_the_total_is_the_number_of_labels_that_the_rows_are_worth(unique, half_life_ns):
    start, end, symbol = random_labels(seed=8)
    found = sample_weights(start, end, symbol, unique=unique, half_life_ns=half_life_ns)
    worth = average_uniqueness(start, end, symbol).sum() if unique else len(start)
    assert found.sum() == pytest.approx(worth)
    assert (found > 0.0).all()
    assert (len(set(found)) == 1) == (not unique and half_life_ns is None)


def test_labels_twice_as_dense_are_worth_the_same():
    def worth(rows):
        start = np.linspace(0, 1000 * SECOND, rows).astype(np.int64)
        return sample_weights(start, start + 60 * SECOND, np.zeros(rows, np.int64)).sum()

    # A thousand seconds of labels of a minute.
    assert worth(5_000) == pytest.approx(1060 / 60, rel=1e-3)
    assert worth(10_000) == pytest.approx(worth(5_000), rel=1e-3)


def test_no_rows_have_no_weights():
    none = np.empty(0, np.int64)
    assert len(sample_weights(none, none, none, half_life_ns=DAY)) == 0


THREE = np.arange(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_uniqueness(THREE, np.array([3, 0, 3]), THREE), "row 1 ends at 0, before"),
        (lambda: average_uniqueness(THREE, np.array([3, 3, -1]), THREE), "row 2 ends at -1"),
        (lambda: average_uniqueness(THREE, THREE[:2], THREE), r"label_end has shape \(2,\)"),
        (lambda: average_uniqueness(THREE, THREE, np.zeros((3, 1))), r"symbol has shape \(3, 1\)"),
        (lambda: recency_weights(THREE, half_life_ns=0), "half_life_ns is 0"),
        (lambda: recency_weights(THREE, half_life_ns=np.nan), "half_life_ns is nan"),
        (lambda: class_factors(np.ones(3), np.array([0, 1, -1])), "class of row 2 is -1"),
        (lambda: class_factors(np.ones(3), np.array([0, 3, 1])), "class of row 1 is 3"),
        (lambda: class_factors(np.array([1, -1, 1.0]), THREE), "weight of row 1 is -1"),
        (lambda: class_factors(np.array([1, np.nan, 1]), THREE), "weight of row 1 is nan"),
        (lambda: class_factors(np.array([1.0, 0, 1]), THREE), "class 1 have the weight 0"),
        (lambda: sample_weights(THREE, THREE, THREE[:1]), r"symbol has shape \(1,\)"),
        (lambda: class_factors(np.ones(3), THREE[:1]), r"label has shape \(1,\)"),
    ],
)
def test_what_cannot_be_weighed_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()


# ---- weights that leave nothing of a class ----------------------------------------------------


def test_a_class_without_weight_is_refused_and_one_without_rows_is_not():
    label = np.array([0, 0, 1, 2, 2], np.int8)
    require_class_weights(np.array([1.0, 1.0, 5e-6, 1.0, 1.0]), label)
    require_class_weights(np.ones(2), np.array([0, 2], np.int8))
    for weight in (0.0, 1e-300, 2e-6):
        with pytest.raises(DataError, match=r"class 1 have .* take a longer half-life"):
            require_class_weights(np.array([1.0, 1.0, weight, 1.0, 1.0]), label)
    with pytest.raises(DataError, match="weight of row 0 is -1"):
        require_class_weights(-np.ones(5), label)
