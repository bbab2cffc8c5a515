import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from alphaseeker.errors import DataError
from alphaseeker.factors.multiple_tests import benjamini_hochberg, bonferroni, holm

CASES = {
    "bonferroni": (bonferroni, [0.025, 0.05, 0.15, 0.2, 1.0]),
    "holm": (holm, [0.025, 0.04, 0.09, 0.09, 0.2]),
    "fdr_bh": (benjamini_hochberg, [0.025, 0.025, 0.05, 0.05, 0.2]),
}


@pytest.mark.parametrize("method", CASES)
def test_reference_values(method):
    correct, expected = CASES[method]
    assert correct([0.005, 0.01, 0.03, 0.04, 0.20]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", CASES)
def test_equals_statsmodels_in_any_order(method):
    correct, _ = CASES[method]
    p_values = np.random.default_rng(1).random(101) ** 4
    p_values[::9] = p_values[0]
    assert correct(p_values) == pytest.approx(multipletests(p_values, method=method)[1], rel=1e-12)


@pytest.mark.parametrize("method", CASES)
def test_one_and_none(method):
    correct, _ = CASES[method]
    assert correct([0.03]).tolist() == [0.03]
    assert correct([]).tolist() == []


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("bad", [[0.1, -0.1], [1.5], [float("nan")], [[0.1]]])
def test_what_is_no_p_value_is_refused(method, bad):
    with pytest.raises(DataError, match="p-value"):
        CASES[method][0](bad)
