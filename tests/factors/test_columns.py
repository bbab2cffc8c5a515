import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from alphaseeker.config import Config
from alphaseeker.errors import DataError
from alphaseeker.factors.columns import evaluate_columns
from alphaseeker.factors.evaluation import evaluate_factor_blocks
from alphaseeker.market.simulator import simulate_frame
from alphaseeker.training.factor_run import evaluate_factor_source

SECOND = 10**9
ROWS = 4_000
QUICK = Config().override({"FORWARD_S": 10, "HORIZONS_S": []})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    price = 50_000.0 * np.exp(np.cumsum(1e-4 * rng.standard_normal(ROWS)))
    ahead = np.log(np.roll(price, -10) / price)
    signal = 0.3 * ahead / ahead.std() + rng.standard_normal(ROWS)
    return pd.DataFrame({"signal": signal, "level": price, "noise": rng.standard_normal(ROWS)})


def by_name(result):
    return {item["factor_name"]: item for item in result["factor_results"]}


def test_arrays_are_evaluated_like_a_block(data, make_block):
    times = np.arange(ROWS) * SECOND
    result = evaluate_columns(data, timestamp=times, price=data["level"], config=QUICK)
    values = {name: data[name].to_numpy() for name in data}
    block = make_block(values, values["level"])
    block = type(block)(**{**vars(block), "spread": np.zeros(ROWS)})
    whole = by_name(evaluate_factor_blocks([block], QUICK))
    assert result["quotes"] is False
    for name in ("signal", "noise"):
        assert by_name(result)[name]["ic"] == pytest.approx(whole[name]["ic"], abs=1e-5)
        assert by_name(result)[name]["pearson"] == pytest.approx(whole[name]["pearson"])
    quoted = evaluate_columns(
        data, timestamp=times, price=data["level"], spread=np.full(ROWS, 5.0), config=QUICK
    )
    assert quoted["quotes"] is True
    gross, net = (by_name(one)["signal"]["return_spread_net_bp"] for one in (result, quoted))
    assert gross - net == pytest.approx(4 * 0.5, rel=0.05)
    dated = evaluate_columns(
        data, timestamp=times.astype("datetime64[ns]"), price=data["level"], config=QUICK
    )
    assert dated == result


def test_a_level_keeps_the_digits_of_its_changes(data):
    price = data["level"].to_numpy()
    times = np.arange(ROWS) * SECOND
    fine = {"fine": 1e9 + data["signal"].to_numpy()}  # a float32 of 1e9 has steps of 64
    found = by_name(evaluate_columns(fine, timestamp=times, price=price, config=QUICK))["fine"]
    ahead = np.log(price[10:] / price[:-10])
    expected = spearmanr(data["signal"][:-10], ahead).statistic
    assert found["ic_pooled"] == pytest.approx(expected, abs=1e-6)


def test_sessions_part_the_returns(data):
    times = np.tile(np.arange(ROWS // 2) * SECOND, 2)
    price = data["level"].to_numpy()
    with pytest.raises(DataError, match="row 2001 of the data is earlier than the one before it"):
        evaluate_columns(data, timestamp=times, price=price, config=QUICK)
    parted = np.repeat([3, 4], ROWS // 2)
    found = evaluate_columns(data, timestamp=times, price=price, session=parted, config=QUICK)
    assert by_name(found)["signal"]["n_observations"] == ROWS - 2 * 10


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": {"x": np.ones(3)}}, r"'x' has shape \(3,\); it must be \(4000,\)"),
        ({"columns": {"x": ["a"] * ROWS}}, "'x' does not hold numbers"),
        ({"price": np.ones(3)}, "'price' has shape"),
        ({"columns": {}}, "no factors to evaluate"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(given, message):
    usual = {"columns": {"x": np.ones(ROWS)}, "price": np.ones(ROWS)}
    with pytest.raises(DataError, match=message):
        evaluate_columns(timestamp=np.arange(ROWS) * SECOND, **{**usual, **given})


def bars(data, tmp_path, kind):
    frame = data.assign(
        timestamp=pd.date_range("2024-01-01", periods=ROWS, freq="min"),
        last=data["level"],
        words="none",
    )
    if kind == "frame":
        return frame
    path = tmp_path / f"bars.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_bars_without_quotes_are_evaluated_by_their_price(data, tmp_path, kind):
    source = bars(data, tmp_path, kind)
    config = Config().override({"FORWARD_S": 600, "HORIZONS_S": []})
    result = evaluate_factor_source(
        source,
        config,
        price_col="last",
        columns=["signal", "Noise "],
        only_columns=True,
        horizons_s=[60.0, 600.0],
        report_path=tmp_path / "factors.json",
    )
    assert result["quotes"] is False
    assert "no quotes: returns are those of 'last'" in result["report"]
    assert sorted(result["top_factors"]) == ["Noise ", "signal"]
    found = by_name(result)["signal"]
    assert found["ic"] > 0.1
    assert [entry["horizon_s"] for entry in found["ic_decay"]] == [60.0, 600.0]
    direct = evaluate_columns(
        {"signal": data["signal"]},
        timestamp=pd.date_range("2024-01-01", periods=ROWS, freq="min").to_numpy(),
        price=data["level"],
        config=config,
    )
    assert found["ic"] == pytest.approx(by_name(direct)["signal"]["ic"], rel=1e-9)
    assert found["return_spread_bp"] == pytest.approx(
        by_name(direct)["signal"]["return_spread_bp"], rel=1e-6
    )


def test_columns_of_quotes_stand_beside_the_features_or_alone(tmp_path):
    frame = simulate_frame(3_000, seed=4)
    frame = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
    frame["mine"] = np.random.default_rng(1).standard_normal(len(frame))
    frame.loc[100, "ask_price"] = np.nan  # a row that the gate refuses
    config = Config().override({"FORWARD_S": 10, "HORIZONS_S": [], "MAX_BAD_RATIO": 0.01})
    paths = {"report_path": tmp_path / "factors.json"}
    alone = evaluate_factor_source(frame, config, columns="mine", only_columns=True, **paths)
    both = evaluate_factor_source(frame, config, columns=["mine", "volume"], **paths)
    assert alone["top_factors"] == ["mine"]
    assert alone["quotes"] is both["quotes"] is True
    assert {"mine", "volume", "book.imbalance_1"} & set(both["top_factors"]) >= {"mine", "volume"}
    assert len(both["top_factors"]) > 100
    for key in ("ic", "return_spread_net_bp", "n_observations"):
        assert by_name(alone)["mine"][key] == by_name(both)["mine"][key]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["signl"]}, "has no column 'signl' .nearest: 'signal'. to evaluate"),
        ({"columns": ["words"]}, "column 'words'|'words' holds no finite number"),
        ({"columns": ["timestamp"]}, "'timestamp' says when or whose a row is"),
        ({"columns": ["signal", "signal"]}, "names 'signal' twice"),
        ({"columns": [3]}, "columns holds 3"),
        ({}, "name at least one in columns"),
        ({"columns": ["signal"], "price_col": "clse"}, "missing columns: 'clse'"),
    ],
)
@pytest.mark.parametrize("kind", ["frame", "csv"])
def test_columns_that_cannot_be_factors_are_refused(data, tmp_path, kind, options, message):
    source = bars(data, tmp_path, kind)
    with pytest.raises(DataError, match=message):
        evaluate_factor_source(
            source,
            QUICK,
            **{"price_col": "last", **options},
            only_columns=True,
            report_path=tmp_path / "factors.json",
        )


def test_features_need_quotes(data, tmp_path):
    with pytest.raises(DataError, match=r"missing columns: 'bid_price'.*NAME --only-columns"):
        evaluate_factor_source(
            bars(data, tmp_path, "frame"),
            QUICK,
            price_col="last",
            columns=["signal"],
            report_path=tmp_path / "factors.json",
        )
