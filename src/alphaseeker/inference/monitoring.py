"""How the engine is doing: counts, health, and whether its model should be trained again."""

from __future__ import annotations

from typing import Any

from alphaseeker.config import Config
from alphaseeker.inference.answers import inference_performance
from alphaseeker.inference.health import drift, health, model_info
from alphaseeker.inference.pool import SessionPool
from alphaseeker.inference.retraining import retraining

__all__ = ["Monitoring"]


class Monitoring:
    """Watches the live sessions, for the engine that inherits from it."""

    config: Config
    risk_manager: Any
    _pool: SessionPool

    def get_performance_stats(self) -> dict[str, Any]:
        """Return counts, latencies, the model's facts, risk metrics and drift."""
        sessions = self._pool.sessions()
        return {
            "inference_performance": inference_performance(
                sessions, target_ms=self.config.inference.TARGET_LATENCY_MS
            ),
            "model_info": model_info(self._pool.loaded),
            "risk_metrics": self.risk_manager.metrics(),
            "drift": drift(self._pool.loaded, sessions, self.config),
        }

    def health_check(self) -> dict[str, Any]:
        """Return a status and a sentence for every component, and the worst of them."""
        return health(self.config, self._pool.loaded, self._pool.sessions(), self.risk_manager)

    def needs_retraining(self) -> dict[str, Any]:
        """Return whether the model should be trained again, and why.

        Judged from live ticks of a time after the training: predictions that were followed to
        the end of their labels, sampled features, hypothetical trades. Ticks that ``warm_up``,
        ``predict_batch`` and ``predict_stream`` take in are not counted.

        Returns
        -------
        dict
            ``needed``, ``reasons`` (sentences), ``age_days``, ``resolved``, ``hits``,
            ``hit_rate``, ``expected_hit_rate``, ``hit_rate_gap``, ``hit_rate_z``, ``psi``,
            ``trades``, ``net_return``, ``drawdown``, ``max_drawdown``; see
            ``alphaseeker.inference.retraining``.
        """
        return retraining(self._pool.loaded, self._pool.sessions(), self.config.monitoring)
