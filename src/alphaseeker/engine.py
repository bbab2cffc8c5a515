"""The facade: one object that trains, loads, predicts, manages risk and says how it is doing."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphaseeker._jit import clear_cache
from alphaseeker._logging import set_level
from alphaseeker.config import Config, load_config
from alphaseeker.errors import AlphaSeekerError, ConfigError
from alphaseeker.features.matrix_store import clear_matrices
from alphaseeker.features.registry import FeatureRegistry
from alphaseeker.inference.alerts import AlertWatch
from alphaseeker.inference.explanation import Explanations
from alphaseeker.inference.live import LivePrediction
from alphaseeker.inference.monitoring import Monitoring
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.served_model import serve, serve_again
from alphaseeker.inference.session import Session
from alphaseeker.inference.state_file import read_state, write_state
from alphaseeker.inference.warm import compile_path
from alphaseeker.model.artifact import load_artifact
from alphaseeker.model.model_file import require_path
from alphaseeker.risk.manager import RiskManager
from alphaseeker.training.trainer import DEFAULT_MODEL_PATH, Trainer

if TYPE_CHECKING:
    from alphaseeker.training.pipeline import Progress

__all__ = ["DEFAULT_MODEL_PATH", "AlphaSeekerMLEngine", "create_ml_engine"]

logger = logging.getLogger(__name__)


def create_ml_engine(
    config_path: str | Path | None = None,
    log_level: str | int = "INFO",
    *,
    config: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AlphaSeekerMLEngine:
    """Return an engine.

    Parameters
    ----------
    config_path
        TOML file of settings.
    log_level
        Of the logger ``alpha_seeker_ml``.
    config
        Settings as a dictionary, flat or by section; they win over the file.
    **settings
        Single settings by key; they win over both.

    Raises
    ------
    ConfigError
        A key is unknown, a value is out of range, or the file cannot be read.
    """
    set_level(log_level)
    loaded = load_config(config_path, config)
    return AlphaSeekerMLEngine(loaded.override(settings) if settings else loaded)


class AlphaSeekerMLEngine(FeatureRegistry, Explanations, Monitoring, Trainer):
    """Trains a model, serves it to any number of symbols, and manages the risk.

    Attributes
    ----------
    risk_manager
        Judges entries and exits; may be replaced by another ``RiskManager``.
    history
        The latest ``HISTORY_SIZE`` answers of ``predict``.
    """

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config or load_config()
        self.risk_manager: RiskManager = RiskManager(self.config.risk, on_alert=self._tell)
        self.history: deque[dict[str, Any]] = deque(maxlen=self.config.inference.HISTORY_SIZE)
        self._pool = SessionPool(self.config.inference)
        self._alerts = AlertWatch()
        self._live = LivePrediction(
            self._pool, self.config, lambda symbol: self.risk_manager.position_side(symbol)
        )

    def load_model(self, path: str | Path, *, on_progress: Progress | None = None) -> bool:
        """Load and verify a model and serve it from the next tick on.

        All is compiled here, nothing at the first tick; ``on_progress`` as in ``train_model``.

        Returns
        -------
        bool
            True.

        Raises
        ------
        ModelError
            The file cannot be trusted or not be served here; a running model keeps serving.
        """
        require_path(path)
        settings = self.config.inference
        model = serve(load_artifact(path), settings, self.custom, on_progress=on_progress)
        compile_path(model)
        self._pool.serve(model)
        logger.info("model %s serves by %s", path, model.predictor.name)
        return True

    def session(self, symbol: str = "") -> Session:
        """Return the live session of ``symbol``; the same object at every call.

        Raises
        ------
        StateError
            No model is loaded, or MAX_SESSIONS are open.
        DataError
            The symbol is unknown to the model and UNKNOWN_SYMBOL is "refuse".
        """
        return self._pool.get(symbol)

    def predict(
        self, market_data: Mapping[str, Any], position: str = "FLAT", *, replay: bool = False
    ) -> dict[str, Any]:
        """Take one tick in and return the signal.

        Parameters
        ----------
        market_data
            ``bid_price, ask_price, bid_volume, ask_volume, close, volume, timestamp``, optionally
            ``symbol, session, buy_volume, sell_volume, depth``.
        position
            FLAT, LONG or SHORT: translates the signal. FLAT reads the risk manager's own
            position.
        replay
            The ticks are history: their age is not judged.

        Raises
        ------
        DataError
            The tick is malformed; the state is as it was.
        StateError
            No model is loaded.
        """
        answer = self._live.predict(market_data, position, replay)
        if answer["timestamp"] >= self._alerts.due:
            self._watch(answer["timestamp"])
        self.history.append({**answer, "probabilities": dict(answer["probabilities"])})
        return answer

    def predict_batch(
        self, data: Any, position: str = "FLAT", *, price_col: str | None = None
    ) -> list[dict[str, Any]]:
        """Return one answer a row, as ``predict`` would give one after the other.

        The rows are a time series of their own for each symbol: live sessions are neither read
        nor changed.

        Parameters
        ----------
        data
            List of market data dictionaries, frame, or path.
        position
            As in ``predict``, for all rows.
        price_col
            Column read as ``close``; that of the training by default.

        Raises
        ------
        DataError
            The data cannot be read, or more rows are malformed than DATA_CONFIG allows.
        StateError
            No model is loaded.
        """
        return self._live.predict_batch(data, position, price_col)

    batch_predict = predict_batch

    def predict_stream(
        self, ticks: Iterable[Mapping[str, Any]], position: str = "FLAT"
    ) -> Iterator[dict[str, Any]]:
        """Return an iterator over the answers to a replay, ``BATCH_SIZE`` rows a step.

        Live sessions go on through the rows, as if by ``predict(tick, replay=True)``, but for a
        malformed number: it is answered with the reason ``refused`` while such rows are no more
        than DATA_CONFIG allows of those of the stream so far.

        Raises
        ------
        DataError
            ``ticks`` yields no market data; while iterating: a row cannot be read, or too many
            are malformed. Rows are numbered from 1 over the whole stream.
        StateError
            No model is loaded.
        """
        return self._live.predict_stream(ticks, position)

    def warm_up(
        self, history: Any, symbol: str | None = None, *, price_col: str | None = None
    ) -> dict[str, Any]:
        """Feed past ticks to the live sessions, so that signals are ready at the first live one.

        Parameters
        ----------
        history
            List of market data dictionaries, frame, or path, in time order.
        symbol
            Name for rows that carry none.
        price_col
            Column read as ``close``; that of the training by default.

        Returns
        -------
        dict
            By symbol: ``rows, accepted, refused, ready, warm_up_remaining_s``.

        Raises
        ------
        DataError
            The history cannot be read, or more rows are malformed than DATA_CONFIG allows; the
            live sessions are then as they were.
        """
        return self._live.warm_up(history, symbol, price_col)

    def manage_risk(
        self, market_data: Mapping[str, Any], signal: Mapping[str, Any], account_balance: float
    ) -> dict[str, Any]:
        """Check exits and limits, decide about ``signal``; see ``RiskManager.manage``."""
        return self.risk_manager.manage(market_data, signal, account_balance)

    def on_fill(self, fill: Mapping[str, Any]) -> dict[str, Any]:
        """Take a fill of the venue; see ``RiskManager.on_fill``."""
        return self.risk_manager.on_fill(fill)

    def reconcile(self, position: Mapping[str, Any], equity: float) -> dict[str, Any]:
        """Take the venue's truth; see ``RiskManager.reconcile``."""
        return self.risk_manager.reconcile(position, equity)

    def evaluate_factors(
        self,
        data: Any,
        price_col: str = "close",
        *,
        columns: Sequence[str] | None = None,
        only_columns: bool = False,
        horizons_s: Sequence[float] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Grade features and ``columns`` of the data; see ``factor_run.evaluate_factor_source``.

        Raises
        ------
        DataError
            The data cannot be read, is too bad or too short, or lacks a column.
        ConfigError
            ``horizons_s`` is not a list of seconds.
        """
        from alphaseeker.report.factors import save_factor_page
        from alphaseeker.training.factor_run import evaluate_factor_source

        if horizons_s is not None and not isinstance(horizons_s, Iterable):
            raise ConfigError(f"horizons_s is {horizons_s!r}; it must be a list of seconds")
        given: dict[str, Any] = {"columns": columns, "only_columns": only_columns}
        given |= {"price_col": price_col, "horizons_s": horizons_s, "custom": self.custom}
        found = evaluate_factor_source(data, self.config, on_progress=on_progress, **given)
        return save_factor_page(found)

    def save_state(self, path: str | Path) -> Path:
        """Save every session's and the risk manager's state, to go on from bit for bit.

        Raises
        ------
        StateError
            The file cannot be written.
        """
        snapshots = {session.symbol: session.snapshot() for session in self._pool.sessions()}
        return write_state(path, snapshots, self.risk_manager.state_bytes())

    def load_state(self, path: str | Path) -> bool:
        """Take up the state that ``save_state`` wrote.

        The risk manager's comes first and stands by itself: a stream that cannot be taken up
        again (another model, another version) is logged and warms up anew. A risk manager whose
        journal has a history keeps that, which is at least as new.

        Raises
        ------
        StateError
            The file is damaged, or the risk manager's state is of another version; nothing is
            changed then.
        """
        snapshots, risk = read_state(path)
        journal = self.risk_manager.journal
        if journal is not None and journal["has_history"]:
            logger.info("the risk state is that of the journal %s", journal["path"])
        else:
            self.risk_manager.restore_bytes(risk)
        for symbol, snapshot in snapshots.items():
            try:
                self._pool.get(symbol).restore(snapshot)
            except AlphaSeekerError as error:
                logger.warning("the stream of %r begins anew: %s", symbol, error)
        return True

    def update_config(self, settings: Mapping[str, Any]) -> None:
        """Change settings of the running engine.

        Raises
        ------
        ConfigError
            A key is unknown or a value out of range; nothing is changed then.
        """
        changed = self.config.override(settings)
        model = self._pool.loaded
        if model is not None and changed.inference != self.config.inference:
            model = serve_again(model, self.config.inference, changed.inference, self.custom)
        before = asdict(self.config.risk)
        if risk := {k: v for k, v in asdict(changed.risk).items() if v != before[k]}:
            self.risk_manager.configure(risk)
        self.config = changed
        self.history = deque(self.history, maxlen=changed.inference.HISTORY_SIZE)
        self._pool.config = changed.inference
        self._live.config = changed
        self._alerts.again()
        for session in self._pool.sessions():
            session.caching = changed.inference.ENABLE_CACHING
        if model is not None and model is not self._pool.loaded:
            self._pool.serve(model)

    def clear_history(self) -> None:
        """Forget the answers kept, the counters, and every stream's past; sessions stay open."""
        self.history.clear()
        for session in self._pool.sessions():
            session.reset()

    def clear_caches(self) -> None:
        """Forget cached scores; on disk, feature matrices and what other versions compiled."""
        for session in self._pool.sessions():
            session.forget_scores()
        clear_cache(stale_only=True)
        clear_matrices()
