"""The IC at several horizons, on several symbols and over time."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_1samp

from alphaseeker.config import Config
from alphaseeker.errors import ConfigError
from alphaseeker.factors import graded_horizon, sweep
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.figures import gains_of
from oracles import factors as oracle

SECOND = 10**9
ROWS = 6_000
SMALL = {"FORWARD_S": 10, "HORIZONS_S": (4.0, 20.0, 300.0)}


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(3)
    mid = 100.0 * np.exp(np.cumsum(1e-4 * rng.standard_normal(ROWS)))
    ahead = np.log(np.roll(mid, -10) / mid)
    planted = 0.3 * ahead / ahead.std() + rng.standard_normal(ROWS)
    warming = np.where(np.arange(ROWS) < 900, np.nan, -planted)
    return {"planted": planted, "warming": warming, "noise": rng.standard_normal(ROWS)}, mid


@pytest.fixture
def block(make_block, columns):
    return make_block(*columns)


def evaluate(blocks, settings=SMALL, **options):
    return evaluate_factor_blocks(blocks, Config().override(settings), **options)


def by_name(result):
    return {item["factor_name"]: item for item in result["factor_results"]}


def test_horizons_of_the_decay_are_a_setting(block):
    found = by_name(evaluate([block]))["planted"]["ic_decay"]
    assert [entry["horizon_s"] for entry in found] == [4.0, 10, 20.0, 300.0]
    graded_alone = by_name(evaluate([block], {"FORWARD_S": 10, "HORIZONS_S": []}))["planted"]
    assert graded_alone["ic_decay"] == [found[1]]
    assert by_name(evaluate([block], decay=False))["planted"]["ic_decay"] == [found[1]]
    with pytest.raises(ConfigError, match=r"HORIZONS_S .* a list, each item a number from 0.001"):
        Config().override({"HORIZONS_S": (10.0, -1.0)})
    with pytest.raises(ConfigError, match=r"HORIZONS_S is 10.0; it must be a list"):
        Config().override({"HORIZONS_S": 10.0})


@pytest.mark.parametrize("name", ["planted", "warming", "noise"])
def test_each_horizon_is_what_it_would_be_as_the_graded_one(block, name):
    whole = by_name(evaluate([block]))[name]
    for entry in whole["ic_decay"]:
        alone = by_name(evaluate([block], {"FORWARD_S": entry["horizon_s"]}))[name]
        for key in ("ic", "ic_t", "p_value", "return_spread_bp", "n_blocks"):
            assert entry[key] == alone[key]
        if entry["horizon_s"] == 10:
            assert entry["ic"] == whole["ic"]
            assert entry["return_spread_bp"] == whole["return_spread_bp"]


def test_decay_equals_scipy(block, columns):
    found = by_name(evaluate([block]))["planted"]["ic_decay"][2]
    returns = oracle.forward_return(block.timestamp, block.mid, block.segment, 20 * SECOND)
    factor = block.values[:, 0].astype(np.float64)
    ics = []
    for rows in np.split(np.arange(ROWS), 30):  # ten horizons each: 200 s
        kept = rows[np.isfinite(returns[rows])]
        ics.append(spearmanr(factor[kept], returns[kept]).statistic)
    expected = ttest_1samp(ics, 0.0)
    assert found["n_blocks"] == 30
    assert found["ic"] == pytest.approx(np.mean(ics))
    assert found["ic_t"] == pytest.approx(expected.statistic)
    assert found["p_value"] == pytest.approx(expected.pvalue)


def test_a_horizon_that_cannot_be_measured_is_zero(make_block, columns):
    values, mid = columns
    minutes = make_block(values, mid, timestamp=np.arange(ROWS) * 60 * SECOND)
    # A second is too fine for minutes, and 10 days too long for four.
    found = by_name(evaluate([minutes], {"FORWARD_S": 600, "HORIZONS_S": (1.0, 864_000.0)}))
    first, graded, last = found["planted"]["ic_decay"]
    for entry in (first, last):
        numbers = (entry["ic"], entry["ic_t"], entry["return_spread_bp"], entry["n_blocks"])
        assert numbers == (0.0, 0.0, 0.0, 0)
        assert entry["p_value"] == 1.0
    assert graded["n_blocks"] > 30


def test_rolling_ic_are_the_blocks_in_time(block):
    result = evaluate([block])
    found = by_name(result)["warming"]
    starts = result["blocks"]["rolling_ic_start"]
    assert starts == [150.0 * number for number in range(40)]
    assert result["blocks"]["symbol"] == ["TEST"] * 40
    assert found["rolling_ic"][:6] == [None] * 6
    assert np.mean(found["rolling_ic"][6:]) == pytest.approx(found["ic"])
    assert "by_symbol" not in found
    json.dumps(result, allow_nan=False)


def test_symbols_are_shown_one_by_one(make_block, columns):
    values, mid = columns
    rng = np.random.default_rng(9)
    later = np.arange(3_000) * SECOND + 500 * SECOND
    second = {name: rng.standard_normal(3_000) for name in values}
    other = make_block(second, mid[:3_000], timestamp=later, symbol="B")
    blocks = [make_block(values, mid, symbol="A"), other]
    result = evaluate(blocks)
    both = by_name(result)["planted"]
    alone = [by_name(evaluate([block], {**SMALL, "BLOCKS": 40}))["planted"] for block in blocks]
    assert [entry["symbol"] for entry in both["by_symbol"]] == ["A", "B"]
    for entry, single in zip(both["by_symbol"], alone, strict=True):
        for key in ("ic", "ic_t", "p_value", "n_blocks"):
            assert entry[key] == single[key]
    weights = [entry["n_blocks"] for entry in both["by_symbol"]]
    assert both["ic"] == pytest.approx(
        np.average([entry["ic"] for entry in both["by_symbol"]], weights=weights)
    )
    assert sorted(result["blocks"]["rolling_ic_start"]) == result["blocks"]["rolling_ic_start"]
    assert set(result["blocks"]["symbol"]) == {"A", "B"}
    known = [ic for ic in both["rolling_ic"] if ic is not None]
    assert np.mean(known) == pytest.approx(both["ic"])


def test_a_stream_is_evaluated_as_if_it_stood_in_memory(make_block, columns, monkeypatch):
    values, mid = columns
    segment = np.repeat([0, 1], [2_500, 3_500])
    blocks = [
        make_block(values, mid, symbol="A", segment=segment),
        make_block(values, mid[::-1].copy(), symbol="B"),
    ]
    whole = evaluate(blocks)
    monkeypatch.setattr(sweep, "CHUNK_ROWS", 1_300)
    monkeypatch.setattr(graded_horizon, "WHOLE_ROWS", 1_000)
    monkeypatch.setattr(graded_horizon, "POOLED_ROWS", 2_000)
    seen = []
    streamed = evaluate(blocks, threads=2, on_progress=lambda *step: seen.append(step))
    assert (whole["streamed"], streamed["streamed"]) == (False, True)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert streamed["top_factors"] == whole["top_factors"]
    for one, other in zip(whole["factor_results"], streamed["factor_results"], strict=True):
        assert one["ic_pooled"] == pytest.approx(other["ic_pooled"], abs=0.05)
        for key in ("pearson", "newey_west_t"):
            assert one[key] == pytest.approx(other[key], rel=1e-9)
        left, right = (
            {key: item[key] for key in item.keys() - {"ic_pooled", "pearson", "newey_west_t"}}
            for item in (one, other)
        )
        assert left["return_spread_sigma"] == pytest.approx(right.pop("return_spread_sigma"))
        assert left["gain_t"] == pytest.approx(right.pop("gain_t"))
        assert left["score_parts"] == pytest.approx(right.pop("score_parts"))
        assert left["total_score"] == pytest.approx(right.pop("total_score"))
        assert {key: left[key] for key in right} == right


def test_gains_of_blocks_equal_the_oracle():
    rng = np.random.default_rng(2)
    blocks = np.array([[0, 50], [50, 90], [90, 120]])
    position = rng.integers(-1, 2, 120).astype(float)
    position[90:] = np.nan
    returns = rng.standard_normal(120)
    returns[:4] = np.nan
    sides = np.zeros((3, 6))
    for number, (start, stop) in enumerate(blocks):
        for side in (-1, 0, 1):
            own = (position[start:stop] == side) & np.isfinite(returns[start:stop])
            sides[number, 1 + side] = returns[start:stop][own].sum()
            sides[number, 4 + side] = own.sum()
    directions = np.array([1.0, -1.0, 1.0])
    expected = oracle.block_gains(position, returns, blocks) * directions / 2.0
    np.testing.assert_allclose(gains_of(sides, directions, 2.0), expected)
    assert np.isnan(gains_of(sides, directions, 2.0)[2])
