"""How the engine is doing: counts, health, and whether its model should be trained again."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import Any

from alphaseeker.config import Config
from alphaseeker.errors import StateError
from alphaseeker.inference.alerts import AlertWatch, Finding, OnAlert, finished
from alphaseeker.inference.answers import inference_performance
from alphaseeker.inference.health import drift_steps, health, model_info
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.retraining import retraining
from alphaseeker.inference.served_model import ServedModel

__all__ = ["Monitoring"]

logger = logging.getLogger(__name__)


class Monitoring:
    """Watches the live sessions, for the engine that inherits from it.

    Attributes
    ----------
    on_alert
        Called once for each alert when it comes up, with a dictionary of ``kind``, ``name`` (key
        of MONITORING_CONFIG), ``value``, ``limit``, ``symbol`` and ``sentence``; None for nobody.
        Those of the engine's own risk manager (keys of RISK_CONFIG) come here, too.
        It is called in the thread of the ``predict`` or check that found it, and what it raises is
        logged.
    """

    config: Config
    risk_manager: Any
    on_alert: OnAlert | None = None
    _pool: SessionPool
    _alerts: AlertWatch

    @property
    def drifting(self) -> bool:
        """Whether the latest check found the market to be another one than in training.

        True while an alert about hit rate, rolling IC or features stands. Checks are made when
        statistics or health are asked for, by ``check_alerts``, and by ``predict`` every
        ALERT_EVERY_S.
        """
        return self._alerts.drifting

    def check_alerts(self) -> list[dict[str, Any]]:
        """Look at all monitors now, tell new alerts, and return those that stand.

        ``Session.update`` and jitted loops look at nothing by themselves: call this beside them,
        from any thread.
        """
        return list(self._drift()["active"])

    def _drift(self) -> dict[str, Any]:
        """Return what the monitors show, and tell what is new."""
        model = self._pool.loaded
        answer, found = finished(drift_steps(model, self._pool.sessions(), self.config))
        self._alerts.take(b"" if model is None else model.mark, found, self.on_alert)
        self._tell_drift()
        return answer

    def _watch(self, now: float) -> None:
        """Go one step on with the check that is due; ``now`` in seconds since 1970."""
        every = self.config.monitoring.ALERT_EVERY_S
        if self._alerts.advance(now, every, self._check_steps, self.on_alert):
            self._tell_drift()

    def _tell_drift(self) -> None:
        """Let the risk manager know whether the model drifts: BLOCK_ON_DRIFT rests on it."""
        if self.risk_manager.drift != self._alerts.drifting:
            try:
                self.risk_manager.set_drift(self._alerts.drifting)
            except StateError as error:
                # It takes no entries either; predictions go on.
                logger.warning("the risk manager was not told of the drift: %s", error)

    def _tell(self, alert: dict[str, Any]) -> None:
        """Hand an alert of the engine's own risk manager on."""
        if self.on_alert is not None:
            self.on_alert(alert)

    def _check_steps(self) -> Generator[None, None, tuple[bytes, Sequence[Finding]]]:
        model = self._pool.model
        _, found = yield from drift_steps(model, self._pool.sessions(), self.config)
        return model.mark, found

    @property
    def served_model(self) -> ServedModel:
        """The model that serves.

        Raises
        ------
        StateError
            None is loaded.
        """
        return self._pool.model

    def get_performance_stats(self) -> dict[str, Any]:
        """Return counts, latencies, the model's facts, risk metrics and ``health.drift``."""
        sessions = self._pool.sessions()
        return {
            "inference_performance": inference_performance(
                sessions, target_ms=self.config.inference.TARGET_LATENCY_MS
            ),
            "model_info": model_info(self._pool.loaded),
            "risk_metrics": self.risk_manager.metrics(),
            "drift": self._drift(),
        }

    def health_check(self) -> dict[str, Any]:
        """Return a status and a sentence for every component, and the worst of them."""
        return health(
            self.config,
            self._pool.loaded,
            self._pool.sessions(),
            self.risk_manager,
            self._drift(),
        )

    def needs_retraining(self) -> dict[str, Any]:
        """Return whether the model should be trained again, and why.

        Judged from live ticks of a time after the training: predictions that were followed to
        the end of their labels, sampled features, hypothetical trades. Ticks that ``warm_up``,
        ``predict_batch`` and ``predict_stream`` take in are not counted.

        Returns
        -------
        dict
            ``needed``, ``reasons`` (sentences), ``age_days``, ``resolved``, ``hits``,
            ``hit_rate``, ``expected_hit_rate``, ``hit_rate_gap``, ``hit_rate_z``,
            ``rolling_ic``, ``psi``,
            ``trades``, ``net_return``, ``drawdown``, ``max_drawdown``; see
            ``alphaseeker.inference.retraining``.
        """
        return retraining(self._pool.loaded, self._pool.sessions(), self.config.monitoring)
