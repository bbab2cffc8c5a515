from dataclasses import replace

import pytest

from alphaseeker.factors.grade import GRADES, MIN_BLOCKS, Evidence, grade_factor

STRONG = Evidence(
    ic=0.1,
    ic_error=0.01,
    p_value=1e-6,
    spread_sigma=0.3,
    sharpe=60.0,
    sortino=80.0,
    calmar=500.0,
    gain_t=8.0,
    gain_p_value=1e-6,
    past_ic=0.13,
    n_blocks=40,
    alpha=0.05,
)
NAMES = list(GRADES)


def test_strong_factor_has_every_point():
    grade = grade_factor(STRONG)
    assert (grade.name, grade.total, grade.reasons) == ("AAA", 100.0, ())
    assert grade.parts == {
        "ic": 25.0,
        "p_value": 20.0,
        "return_spread": 20.0,
        "sharpe": 15.0,
        "sortino": 10.0,
        "calmar": 10.0,
    }


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"ic": 0.02}, "ic"),
        ({"p_value": 0.04}, "p_value"),
        ({"spread_sigma": 0.02}, "return_spread"),
        ({"sharpe": 1.0}, "sharpe"),
        ({"sortino": 1.0}, "sortino"),
        ({"calmar": 1.0}, "calmar"),
    ],
)
def test_each_of_the_six_figures_has_its_part(change, part):
    before, after = grade_factor(STRONG), grade_factor(replace(STRONG, **change))
    assert after.total < before.total
    assert {p for p in after.parts if after.parts[p] != before.parts[p]} == {part}


def test_sign_of_the_ic_does_not_matter():
    assert grade_factor(replace(STRONG, ic=-0.1)).total == 100.0


def test_figures_lose_a_standard_error():
    grade = grade_factor(replace(STRONG, ic=0.04, ic_error=0.02, sharpe=6.0, gain_t=2.0))
    assert grade.parts["ic"] == pytest.approx(25 * 0.02 / 0.05)
    assert grade.parts["sharpe"] == pytest.approx(15 * 3 / 5)
    nothing_left = grade_factor(replace(STRONG, ic_error=0.2, gain_t=0.9))
    assert sum(nothing_left.parts.values()) == nothing_left.parts["p_value"]


@pytest.mark.parametrize(
    ("change", "cap"),
    [
        ({"n_blocks": MIN_BLOCKS - 1}, "C"),
        ({"p_value": 0.051}, "C"),
        ({"p_value": float("nan")}, "C"),
        ({"gain_p_value": 0.11}, "C"),
        ({"gain_p_value": 0.002, "gain_tries": 60}, "C"),
        ({"past_ic": 0.066}, "D"),
        ({"past_ic": -0.2}, "D"),
        ({"past_ic": 0.04, "n_blocks": 3}, "D"),
    ],
)
def test_caps(change, cap):
    grade = grade_factor(replace(STRONG, **change))
    assert grade.name == cap
    assert len(grade.reasons) == len(change.keys() - {"gain_tries"})
    assert sum(grade.parts.values()) > grade.total


@pytest.mark.parametrize(
    "change",
    [
        {"n_blocks": MIN_BLOCKS},
        {"p_value": 0.05},
        {"gain_p_value": 0.099},
        {"gain_p_value": 0.00099, "gain_tries": 100},
        {"gain_p_value": 0.099, "gain_tries": 0},
        {"past_ic": 0.067},
    ],
)
def test_limits_themselves_do_not_cap(change):
    assert not grade_factor(replace(STRONG, **change)).reasons


def test_grade_is_the_band_of_the_total():
    totals = []
    for step in range(200):
        share = step / 200
        grade = grade_factor(
            replace(
                STRONG,
                ic=0.01 + 0.05 * share,
                p_value=10 ** (-1.31 - 1.7 * share),
                spread_sigma=0.16 * share,
                sharpe=6 * share,
                sortino=8 * share,
                calmar=12 * share,
            )
        )
        lower = GRADES[grade.name]
        better = NAMES.index(grade.name) - 1
        assert lower <= grade.total
        assert better < 0 or grade.total < GRADES[NAMES[better]]
        totals.append((grade.total, grade.name))
    assert totals == sorted(totals, key=lambda item: item[0])
    assert {name for _, name in totals} == set(NAMES)


def test_nothing_measured_is_e():
    grade = grade_factor(None)
    assert (grade.name, grade.total) == ("E", 0.0)
    assert set(grade.parts) == set(grade_factor(STRONG).parts)


@pytest.mark.parametrize(
    ("change", "confirmed"),
    [
        ({}, True),
        ({"n_blocks": 3, "p_value": 0.5}, True),
        ({"gain_p_value": 0.11}, False),
        ({"gain_p_value": 0.01, "gain_tries": 20}, False),
        ({"gain_t": -8.0}, False),
        ({"past_ic": 0.04}, False),
        ({"past_ic": float("nan")}, False),
    ],
)
def test_confirmed_is_what_trading_on_the_past_bears_out(change, confirmed):
    assert grade_factor(replace(STRONG, **change)).confirmed is confirmed
    assert not grade_factor(None).confirmed
