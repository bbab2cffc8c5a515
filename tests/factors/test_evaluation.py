import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import spearmanr, ttest_1samp

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.factors.forward_returns import forward_return
from alphaseeker.factors.grade import GRADES, grade_factor

SECOND = 10**9
ROWS = 57_600  # 16 hours of one-second data
KEYS = {
    "factor_name", "grade", "total_score", "score_parts", "reason", "ic", "ic_std", "ic_ir",
    "ic_t", "p_value", "p_value_bonferroni", "p_value_holm", "p_value_bh", "significant",
    "newey_west_t", "ic_pooled", "pearson", "direction", "past_ic", "gain_t",
    "return_spread_bp", "return_spread_net_bp", "break_even_cost_bp", "return_spread_sigma",
    "sharpe", "sharpe_net", "sortino", "calmar", "max_drawdown", "turnover", "n_observations",
    "n_blocks", "ic_decay", "rolling_ic", "autocorrelation", "cluster", "redundant_with",
    "redundant_correlation", "ic_by_day", "ic_by_regime", "sign_share",
}  # fmt: skip

compiled_only = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="hours of rows need compiled kernels"
)


def planted(mid, strength, noise, horizon_s=60):
    """A factor whose correlation with the forward return of ``mid`` is ``strength``."""
    timestamp, segment = np.arange(len(mid)) * SECOND, np.zeros(len(mid), dtype=np.int64)
    returns = forward_return(timestamp, mid, segment, horizon_s * SECOND)
    signal = np.nan_to_num(returns / np.nanstd(returns))
    return strength * signal + math.sqrt(1 - strength**2) * noise


def autoregression(rng, rows, memory, shocks=None):
    shocks = rng.standard_normal(rows) if shocks is None else shocks
    return lfilter([math.sqrt(1 - memory**2)], [1.0, -memory], shocks)


def evaluate(blocks, **overrides):
    return evaluate_factor_blocks(blocks, Config().override(overrides))


def by_name(result):
    return {item["factor_name"]: item for item in result["factor_results"]}


def numbers(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


@pytest.fixture(scope="module")
def small_columns():
    rng = np.random.default_rng(21)
    mid = 100.0 * np.exp(np.cumsum(1e-4 * rng.standard_normal(6000)))
    columns = {
        "planted": planted(mid, 0.3, rng.standard_normal(6000), 10),
        "opposite": -planted(mid, 0.2, rng.standard_normal(6000), 10),
        "noise": rng.standard_normal(6000),
        "constant": np.full(6000, 0.1),
        "never": np.full(6000, np.nan),
        "infinite": np.full(6000, np.inf),
        "laden": np.where(rng.random(6000) < 0.7, np.nan, rng.standard_normal(6000)),
        "warming_up": np.where(np.arange(6000) < 3000, np.nan, rng.standard_normal(6000)),
        "binary": (planted(mid, 0.3, rng.standard_normal(6000), 10) > 1.5).astype(float),
    }
    return columns, mid


@pytest.fixture
def small(make_block, small_columns):
    return make_block(*small_columns)


SMALL = {"FORWARD_S": 10}


def test_result_is_plain_finite_and_complete(small):
    result = evaluate([small], **SMALL)
    assert set(result) == {"factor_results", "top_factors", "blocks", "streamed", "report"}
    assert all(set(item) == KEYS for item in result["factor_results"])
    text = json.dumps(result, allow_nan=False)
    assert json.loads(text) == result
    assert all(math.isfinite(value) for value in numbers(result))


def test_order_is_by_total_score(small):
    result = evaluate([small], **SMALL)
    totals = [item["total_score"] for item in result["factor_results"]]
    assert totals == sorted(totals, reverse=True)
    assert result["top_factors"] == [item["factor_name"] for item in result["factor_results"]]
    assert sorted(result["top_factors"]) == sorted(small.names)


def test_block_figures_equal_scipy(small):
    found = by_name(evaluate([small], **SMALL))["planted"]
    factor = small.values[:, 0].astype(np.float64)
    returns = forward_return(small.timestamp, small.mid, small.segment, 10 * SECOND)
    ics = []
    for rows in np.split(np.arange(6000), 40):
        kept = rows[np.isfinite(returns[rows])]
        ics.append(spearmanr(factor[kept], returns[kept]).statistic)
    expected = ttest_1samp(ics, 0.0)
    assert found["n_blocks"] == 40
    assert found["n_observations"] == 6000 - 10
    assert found["ic"] == pytest.approx(np.mean(ics))
    assert found["ic_std"] == pytest.approx(np.std(ics, ddof=1))
    assert found["ic_ir"] == pytest.approx(np.mean(ics) / np.std(ics, ddof=1))
    assert found["ic_t"] == pytest.approx(expected.statistic)
    assert found["p_value"] == pytest.approx(expected.pvalue)
    pooled = spearmanr(factor[:-10], returns[:-10]).statistic
    assert found["ic_pooled"] == pytest.approx(pooled)


def test_corrections_count_only_what_was_tested(small):
    found = by_name(evaluate([small], **SMALL))
    tested = [item for item in found.values() if item["n_blocks"]]
    assert len(tested) == 6
    for item in tested:
        assert item["p_value_bonferroni"] == pytest.approx(min(1.0, 6 * item["p_value"]))
        assert item["p_value"] <= item["p_value_bh"] <= item["p_value_holm"] + 1e-15
        assert item["p_value_holm"] <= item["p_value_bonferroni"]
        confirmed = "past" not in item["reason"] and "gain" not in item["reason"]
        assert item["significant"] == (item["p_value_bonferroni"] <= 0.05 and confirmed)


def test_factor_that_points_down_is_traded_downwards(small):
    found = by_name(evaluate([small], **SMALL))
    down, up = found["opposite"], found["planted"]
    assert (down["direction"], up["direction"]) == (-1, 1)
    assert down["ic"] < -0.1
    for key in ("return_spread_bp", "sharpe", "sortino", "calmar", "past_ic", "gain_t"):
        assert down[key] > 0.0
    assert down["grade"] == "AAA"


def test_mostly_constant_factor_is_still_measured(small):
    found = by_name(evaluate([small], **SMALL))["binary"]
    assert found["return_spread_bp"] > 0.0
    assert found["significant"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("constant", "constant"), ("never", "never finite"), ("infinite", "never finite")],
)
def test_what_cannot_be_measured_is_e_with_a_reason(small, name, reason):
    found = by_name(evaluate([small], **SMALL))[name]
    assert (found["grade"], found["total_score"], found["n_blocks"]) == ("E", 0.0, 0)
    assert reason in found["reason"]
    assert (found["p_value"], found["p_value_bonferroni"]) == (1.0, 1.0)
    assert not found["significant"]
    assert found["return_spread_net_bp"] == found["sharpe"] == found["turnover"] == 0.0


def test_missing_values_are_left_out(small):
    found = by_name(evaluate([small], **SMALL))
    finite = np.isfinite(small.values[:-10, small.names.index("laden")]).sum()
    assert found["laden"]["n_observations"] == finite
    assert found["warming_up"]["n_blocks"] == 20
    assert found["warming_up"]["n_observations"] == 3000 - 10


def test_too_few_observations_are_e_with_a_reason(make_block, random_walk):
    rng = np.random.default_rng(1)
    block = make_block({"x": rng.standard_normal(700)}, random_walk(rng, 700))
    (found,) = evaluate([block])["factor_results"]
    assert (found["grade"], found["n_observations"]) == ("E", 640)
    assert "too few observations: 1 blocks" in found["reason"]
    assert all(math.isfinite(value) for value in numbers(found))


@pytest.mark.parametrize("rows", [0, 1, 5, 59, 69, 250])
def test_data_of_which_nothing_can_be_measured_are_refused(make_block, random_walk, rows):
    rng = np.random.default_rng(1)
    block = make_block({"x": rng.standard_normal(rows)}, random_walk(rng, rows))
    message = rf"{rows} rows over .* 2 blocks of 10 min, .* needs 20 \(200 min\)"
    with pytest.raises(DataError, match=message):
        evaluate([block])
    with pytest.raises(DataError, match="too few"):
        evaluate([block, block])


def test_a_grid_coarser_than_the_horizon_is_refused(make_block, random_walk):
    rng = np.random.default_rng(1)
    timestamp = np.arange(6000) * 60 * SECOND
    block = make_block(
        {"x": rng.standard_normal(6000)}, random_walk(rng, 6000), timestamp=timestamp
    )
    with pytest.raises(DataError, match=r"Rows stand 60 s apart, which .* set it to 60") as caught:
        evaluate([block], FORWARD_S=30)
    assert "shorter" not in str(caught.value)
    assert evaluate([block], FORWARD_S=60)["factor_results"][0]["n_observations"] > 5000


def test_equals_stand_in_order_of_their_t_and_the_unmeasured_last(make_block, random_walk):
    rng = np.random.default_rng(5)
    mid = random_walk(rng, 40_000)
    ahead = np.log(np.roll(mid, -60) / mid)
    ahead[-60:] = 0.0
    noise = ahead.std() * rng.standard_normal((3, 40_000))
    columns = {
        "a": ahead + noise[0],
        "b": ahead + 0.5 * noise[1],
        "constant": np.ones(40_000),
        "useless": noise[2],
    }
    found = evaluate([make_block(columns, mid)])["factor_results"]
    assert found[0]["total_score"] == found[1]["total_score"] == 100.0
    assert [one["factor_name"] for one in found] == ["b", "a", "useless", "constant"]


def test_price_that_never_moves_is_e_with_a_reason(make_block):
    block = make_block({"x": np.arange(6000.0)}, np.full(6000, 100.0))
    (found,) = evaluate([block])["factor_results"]
    assert found["grade"] == "E"
    assert "never varies" in found["reason"]


def test_fewer_than_twenty_blocks_cap_at_c(make_block, random_walk):
    rng = np.random.default_rng(2)
    mid = random_walk(rng, 9000)
    block = make_block({"x": planted(mid, 0.5, rng.standard_normal(9000))}, mid)
    (found,) = evaluate([block])["factor_results"]
    assert found["n_blocks"] == 15
    assert found["significant"]
    assert found["grade"] == "C"
    assert "15 independent blocks" in found["reason"]


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ({"FORWARD_S": 30}, "ic"),
        ({"QUANTILES": 10}, "return_spread_bp"),
        ({"BLOCKS": 25}, "n_blocks"),
        ({"TRANSACTION_COST_PCT": 0.001}, "return_spread_net_bp"),
        ({"TRANSACTION_COST_PCT": 0.001}, "sharpe_net"),
    ],
)
def test_every_setting_has_an_effect(small, override, key):
    before = by_name(evaluate([small], **SMALL))["planted"]
    after = by_name(evaluate([small], **{**SMALL, **override}))["planted"]
    assert before[key] != after[key]


def test_alpha_decides_what_is_significant(make_block, random_walk):
    rng = np.random.default_rng(4)
    mid = random_walk(rng, 6000)
    block = make_block({"weak": planted(mid, 0.08, rng.standard_normal(6000), 10)}, mid)
    (found,) = evaluate([block], **SMALL)["factor_results"]
    p_value = found["p_value_bonferroni"]
    assert 1e-6 < p_value < 0.05
    assert found["significant"]
    (loose,) = evaluate([block], **SMALL, ALPHA=p_value * 1.01)["factor_results"]
    (strict,) = evaluate([block], **SMALL, ALPHA=p_value * 0.99)["factor_results"]
    assert "corrected p-value" not in loose["reason"]
    assert "corrected p-value" in strict["reason"]
    # The gain is asked for at the same level, and at this one it is not sure enough.
    assert "the portfolio's gain" in loose["reason"]
    assert (loose["significant"], strict["significant"]) == (False, False)
    assert strict["grade"] in ("C", "D", "E")


def test_cost_arithmetic_of_the_spread(small):
    free = replace(small, spread=np.zeros(6000))
    wide = replace(small, spread=0.0010 * small.mid)  # ten basis points, five a side
    for block, half_bp in ((free, 0.0), (wide, 5.0)):
        found = by_name(evaluate([block], **SMALL, TRANSACTION_COST_PCT=0.0003))["planted"]
        gross = found["return_spread_bp"]
        assert found["return_spread_net_bp"] == pytest.approx(gross - 4 * (3.0 + half_bp))
        assert found["break_even_cost_bp"] == pytest.approx(gross / 4 - half_bp)
        broke = evaluate([block], **SMALL, TRANSACTION_COST_PCT=0.0003 + half_bp * 1e-4)
        assert gross == by_name(broke)["planted"]["return_spread_bp"]


def test_the_quoted_spread_is_paid_where_it_is_traded(small):
    """A fee of five basis points and a spread of ten cost the same; the gross figures stay."""
    free = replace(small, spread=np.zeros(6000))
    wide = replace(small, spread=0.0010 * small.mid)
    paid = by_name(evaluate([free], **SMALL, TRANSACTION_COST_PCT=0.0005))["planted"]
    quoted = by_name(evaluate([wide], **SMALL, TRANSACTION_COST_PCT=0.0))["planted"]
    assert quoted["sharpe_net"] == pytest.approx(paid["sharpe_net"])
    assert quoted["sharpe_net"] < quoted["sharpe"] - 1.0
    for key in ("sharpe", "return_spread_bp", "sortino", "calmar", "turnover", "grade"):
        assert quoted[key] == paid[key]


def test_progress_counts_factors(small):
    seen = []
    evaluate_factor_blocks([small], Config(), on_progress=lambda *step: seen.append(step))
    assert seen == [(done, 9) for done in range(1, 10)]


def test_blocks_of_all_symbols_are_averaged(make_block, random_walk):
    rng = np.random.default_rng(8)
    blocks = []
    for symbol, rows in (("A", 6000), ("B", 6000)):
        mid = random_walk(rng, rows)
        factor = planted(mid, 0.2, rng.standard_normal(rows), 10)
        blocks.append(make_block({"x": factor}, mid, symbol=symbol))
    config = {"FORWARD_S": 10, "BLOCKS": 30}
    (both,) = evaluate(blocks, **config)["factor_results"]
    single = [evaluate([block], **config)["factor_results"][0] for block in blocks]
    assert all(item["direction"] == 1 and item["ic_t"] > 5.0 for item in single)
    assert both["n_blocks"] == sum(item["n_blocks"] for item in single) == 60
    for key in ("ic", "return_spread_bp", "sharpe", "turnover"):
        assert both[key] == pytest.approx((single[0][key] + single[1][key]) / 2)


def test_the_same_symbol_twice_is_no_more_evidence_than_once(small):
    once = by_name(evaluate([small], **SMALL))
    twice = by_name(evaluate([small, replace(small, symbol="COPY")], **SMALL))
    for name in ("planted", "noise", "laden"):
        assert twice[name]["ic"] == pytest.approx(once[name]["ic"])
        assert twice[name]["p_value"] == pytest.approx(once[name]["p_value"], rel=0.05)
        assert twice[name]["n_blocks"] == 2 * once[name]["n_blocks"]


def test_sessions_apart_in_time_are_blocks_of_their_own(make_block, random_walk):
    rng = np.random.default_rng(6)
    rows = 24 * 400
    mid = random_walk(rng, rows)
    segment = np.repeat(np.arange(24), 400)
    timestamp = np.arange(rows) * SECOND + segment * 10**6 * SECOND
    block = make_block({"x": rng.standard_normal(rows)}, mid, segment=segment, timestamp=timestamp)
    (found,) = evaluate([block])["factor_results"]
    assert found["n_blocks"] == 24
    assert found["n_observations"] == 24 * (400 - 60)


def test_what_cannot_be_evaluated_is_refused(small):
    with pytest.raises(DataError, match="no feature blocks"):
        evaluate([])
    with pytest.raises(DataError, match="other columns"):
        evaluate([small, replace(small, names=small.names[::-1], symbol="B")])
    with pytest.raises(DataError, match="no factors"):
        evaluate([replace(small, names=(), values=small.values[:, :0])])


@compiled_only
@pytest.mark.parametrize(("seed", "degrees"), [(0, None), (1, 3)])
def test_noise_does_not_reach_b(make_block, random_walk, seed, degrees):
    rng = np.random.default_rng(1000 + seed)
    mid = random_walk(rng, ROWS, degrees=degrees)
    noise = np.empty((ROWS, 200), dtype=np.float32)
    for column in range(200):
        heavy = rng.standard_t(2.5, ROWS)
        noise[:, column] = (
            autoregression(rng, ROWS, 0.98),
            autoregression(rng, ROWS, 0.98, heavy),
            heavy,
            np.cumsum(rng.standard_normal(ROWS)),
        )[column % 4]
    result = evaluate([make_block(noise, mid)])
    good = [item for item in result["factor_results"] if item["total_score"] >= GRADES["B"]]
    assert len(good) <= 2


@compiled_only
def test_price_level_of_a_random_walk_is_d_or_e(make_block, random_walk):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mid = random_walk(rng, ROWS, degrees=None if seed % 2 else 3)
        (found,) = evaluate([make_block({"level": mid}, mid)])["factor_results"]
        assert found["p_value_bonferroni"] < 1e-6  # ranking within blocks is fooled
        assert not found["significant"]  # trading on the past is not, nor is the grade
        assert found["grade"] in ("D", "E")


@compiled_only
def test_persistent_noise_earns_nothing_on_average(make_block, random_walk):
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        mid = random_walk(rng, ROWS)
        noise = np.column_stack([autoregression(rng, ROWS, 0.98) for _ in range(50)])
        found = evaluate([make_block(noise, mid)])["factor_results"]
        assert not any(item["significant"] for item in found)
        ratios.extend(item["sharpe"] for item in found)
    error = np.std(ratios, ddof=1) / math.sqrt(len(ratios))
    assert 0.5 < error < 2.0
    assert abs(np.mean(ratios)) < 3.0 * error  # the direction of hindsight gave 10 errors


@compiled_only
def test_planted_persistent_factors_are_found(make_block, random_walk):
    grades = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mid = random_walk(rng, ROWS, degrees=4 if seed % 2 else None)
        columns = [planted(mid, s, autoregression(rng, ROWS, 0.98)) for s in (0.1, -0.2, 0.2)]
        columns.extend(autoregression(rng, ROWS, 0.98) for _ in range(8))
        found = by_name(evaluate([make_block(np.column_stack(columns), mid)]))
        grades.append(found["factor_0"]["grade"])
        for name, sign in (("factor_1", -1), ("factor_2", 1)):
            assert found[name]["grade"] == "AAA"
            assert found[name]["significant"]
            assert found[name]["direction"] == sign
            assert found[name]["sharpe"] > 50.0
        for j in range(3, 11):
            assert GRADES[found[f"factor_{j}"]["grade"]] < GRADES["B"]
    # An IC of a tenth that moves as slowly as the return has few independent chances in a day.
    assert sum(grade in ("AAA", "AA", "A") for grade in grades) >= 4


def test_bars_that_jitter_are_measured_by_what_was_seen(make_block):
    """Minute bars at a horizon of a minute: half of them come too late to be seen in time."""
    rng = np.random.default_rng(12)
    rows = 3000
    timestamp = np.arange(rows) * 60 * SECOND + rng.integers(-5, 6, rows) * 10**6
    steps = 1e-3 * rng.standard_normal(rows)
    mid = 100.0 * np.exp(np.cumsum(steps) - steps)
    factor = 0.2 * steps / 1e-3 + rng.standard_normal(rows)
    (found,) = evaluate([make_block({"x": factor}, mid, timestamp=timestamp)])["factor_results"]
    in_time = np.append(np.diff(timestamp) <= 60 * SECOND, False)
    assert 0.4 < in_time.mean() < 0.6
    assert found["n_observations"] == in_time.sum()
    expected = spearmanr(factor.astype(np.float32)[in_time], steps[in_time]).statistic
    assert found["ic_pooled"] == pytest.approx(expected)


def test_equal_totals_stand_by_points_and_then_by_name(make_block, random_walk):
    mid = random_walk(np.random.default_rng(3), 6000)
    columns = {name: np.full(6000, 1.0) for name in ("b", "d", "a", "c")}
    columns["x"] = planted(mid, 0.3, np.random.default_rng(4).standard_normal(6000), 10)
    columns["w"] = columns["x"].copy()
    result = evaluate([make_block(columns, mid)], **SMALL)
    assert result["top_factors"] == ["w", "x", "a", "b", "c", "d"]


@compiled_only
@pytest.mark.parametrize("seed", range(5))
def test_planted_ic_of_a_tenth_reaches_aaa(make_block, random_walk, seed):
    rng = np.random.default_rng(seed)
    mid = random_walk(rng, ROWS, degrees=4 if seed % 2 else None)
    factor = planted(mid, 0.1, rng.standard_normal(ROWS))
    noise = rng.standard_normal((ROWS, 10))
    block = make_block(np.column_stack([factor, noise]), mid)
    result = evaluate([block])
    found = by_name(result)["factor_0"]
    assert found["ic"] == pytest.approx(0.1, abs=0.03)
    assert found["grade"] == "AAA"
    assert result["top_factors"][0] == "factor_0"


def test_the_return_itself_is_beyond_doubt_and_finite(make_block, random_walk):
    mid = random_walk(np.random.default_rng(3), 6000)
    block = make_block({"leak": planted(mid, 1.0, np.zeros(6000), 10)}, mid)
    (found,) = evaluate([block], **SMALL)["factor_results"]
    assert found["grade"] == "AAA"
    assert found["ic"] == pytest.approx(1.0, abs=1e-3)
    assert all(math.isfinite(value) for value in numbers(found))
    assert found["score_parts"].keys() == grade_factor(None).parts.keys()
