"""Nothing is left to compile at the first tick."""

import numba.core.event

from alphaseeker import create_ml_engine
from ticks import tick


class Compilations(numba.core.event.Listener):
    """Counts what Numba compiles."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        self.names.append(str(event.data["dispatcher"].py_func))

    def on_end(self, event):
        pass


def test_loading_a_model_leaves_nothing_to_compile(trained, market):
    engine = create_ml_engine()
    engine.load_model(trained[0])
    counter = Compilations()
    with numba.core.event.install_listener("numba:compile", counter):
        signal = engine.predict(tick(0), replay=True)
        engine.manage_risk(tick(0), signal, 10_000.0)
        engine.predict_batch(market.head(3))
        engine.session("X").update(*[tick(0)[name] for name in list(tick(0))[:7]])
        engine.get_performance_stats()
    assert counter.names == []
