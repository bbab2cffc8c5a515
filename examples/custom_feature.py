"""Features of your own: a step for batch, live and the model; a frame function for research.

python examples/custom_feature.py

Runs on SIMULATED data. The step is written once; what it gives live is, bit for bit, what it gave
in training. A frame function is quicker to write, and stays where it is: nothing serves it.
"""

import tempfile
from pathlib import Path

import numpy as np

from alphaseeker import ConfigError, ModelError, create_ml_engine, custom_feature, frame_feature
from alphaseeker.features.feature_engineer import MicrostructureFeatureEngineer
from alphaseeker.market.simulator import simulate_frame

FIELDS = ("bid_price", "ask_price", "bid_volume", "ask_volume", "close", "volume")


@custom_feature(state=[("pressure", np.float64)], windows=(5, 30), unit="-1..1", history_s=30)
def queue_pressure(state, tick, window_s):
    """E_w(I): the imbalance of the quote, averaged by elapsed time"""
    imbalance = (tick.bid_volume - tick.ask_volume) / (tick.bid_volume + tick.ask_volume)
    weight = 1.0 if tick.first == 1 else 1.0 - 0.5 ** (tick.elapsed_s / window_s)
    state.pressure += weight * (imbalance - state.pressure)
    return state.pressure


@frame_feature(unit="bp")
def change(frame):
    """Change of the mid since the tick before"""
    return 1e4 * frame.groupby("segment")["mid"].pct_change()


def explore(market) -> None:
    """Compute both in batch, and the step live, with equal bits."""
    engineer = MicrostructureFeatureEngineer(
        families=["book", "custom"], custom=[queue_pressure, change]
    )
    features = engineer.fit_transform(market)
    print(features.filter(like="custom.").tail(3).to_string(index=False))

    engineer.set_params(features=["custom.queue_pressure_5s"], families=None)
    stream = engineer.stream("SIMULATED")
    columns = [market["timestamp"].astype("int64"), *(market[name] for name in FIELDS)]
    live = [
        float(stream.update(*tick)[0])
        for tick in zip(*(column.tolist() for column in columns), strict=True)
    ]
    equal = np.array_equal(
        np.float32(live), features["custom.queue_pressure_5s"].to_numpy(), equal_nan=True
    )
    print(f"live equals batch: {equal}")


def serve(market, folder: Path) -> None:
    """Train with the step, save, and serve it; without the step the file is refused."""
    path = folder / "model.joblib"
    settings = {"log_level": "ERROR", "num_boost_round": 20, "families": ["book", "custom"]}
    engine = create_ml_engine(**settings)
    engine.register_feature("queue_pressure", queue_pressure)
    engine.train_model(market.head(12_000), model_path=path)
    for tick in market.tail(100).to_dict("records"):
        signal = engine.predict(tick, replay=True)
    print(f"last signal: {signal['signal_label']} ({signal['filter_reason']})")

    other = create_ml_engine(**settings)
    try:
        other.load_model(path)
    except ModelError as error:
        print(f"refused: {error}")
    try:
        other.register_feature("change", change)
    except ConfigError as error:
        print(f"refused: {error}")
    other.register_feature("queue_pressure", queue_pressure)
    print(f"loaded: {other.load_model(path)}")


def main() -> None:
    """Show both worlds."""
    market = simulate_frame(14_000, seed=1, signal_strength=0.4)
    explore(market.head(3_000))
    with tempfile.TemporaryDirectory() as folder:
        serve(market, Path(folder))


if __name__ == "__main__":
    main()
