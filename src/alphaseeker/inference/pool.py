"""The live sessions of an engine, one per symbol, and the models they serve."""

from __future__ import annotations

import logging
import threading

from alphaseeker.config import InferenceConfig
from alphaseeker.errors import DataError, StateError
from alphaseeker.inference.served_model import ServedModel
from alphaseeker.inference.session import Session

__all__ = ["SessionPool"]

logger = logging.getLogger(__name__)


class SessionPool:
    """Sessions by symbol."""

    def __init__(self, config: InferenceConfig) -> None:
        self.config = config
        self._model: ServedModel | None = None
        self._sessions: dict[str, Session] = {}
        self._unknown: set[str] = set()  # those that were warned of
        self._lock = threading.Lock()

    @property
    def model(self) -> ServedModel:
        """The model that serves.

        Raises
        ------
        StateError
            None is loaded.
        """
        if self._model is None:
            raise StateError(
                "no model is loaded; call load_model(path), or train_model(data) first"
            )
        return self._model

    @property
    def loaded(self) -> ServedModel | None:
        """The model that serves, None where there is none."""
        return self._model

    def __len__(self) -> int:
        return len(self._sessions)

    def sessions(self) -> list[Session]:
        """Return the open sessions."""
        return list(self._sessions.values())

    def get(self, symbol: str) -> Session:
        """Return the session of ``symbol``; opens it at the first call.

        Raises
        ------
        StateError
            No model is loaded, or MAX_SESSIONS are open.
        DataError
            The model was not trained on the symbol, and UNKNOWN_SYMBOL is "refuse".
        """
        if not isinstance(symbol, str):
            raise DataError(f"symbol is {symbol!r}; it must be a string")
        session = self._sessions.get(symbol)
        if session is not None:
            return session
        with self._lock:
            session = self._sessions.get(symbol)
            if session is None:
                model = self.model
                if len(self._sessions) >= self.config.MAX_SESSIONS:
                    raise StateError(
                        f"{len(self._sessions)} sessions are open, which is MAX_SESSIONS; raise "
                        "it with update_config"
                    )
                session = self._opened(symbol, model)
                self._sessions[symbol] = session
        return session

    def fresh(self, symbol: str) -> Session:
        """Return a new session that is not among the live ones.

        Raises
        ------
        StateError
            No model is loaded.
        DataError
            The model was not trained on the symbol, and UNKNOWN_SYMBOL is "refuse".
        """
        with self._lock:
            return self._opened(symbol, self.model)

    def _opened(self, symbol: str, model: ServedModel) -> Session:
        if not model.knows(symbol):
            self._say_unknown(symbol, model)
        return Session(symbol, model, caching=self.config.ENABLE_CACHING)

    def _say_unknown(self, symbol: str, model: ServedModel) -> None:
        known = model.artifact.training.get("symbols", [])
        message = (
            f"symbol {symbol!r} is not among those the model was trained on "
            f"({', '.join(repr(name) for name in known) or 'none'})"
        )
        if self.config.UNKNOWN_SYMBOL == "refuse":
            raise DataError(f"{message}; train on it, or set UNKNOWN_SYMBOL to 'warn'")
        if symbol not in self._unknown:
            self._unknown.add(symbol)
            logger.warning("%s; its signals may mean little", message)

    def serve(self, model: ServedModel) -> None:
        """Serve ``model`` from the next tick on; log the symbols that must warm up again."""
        with self._lock:
            self._model = model
            self._unknown.clear()
            lost = {s.symbol: s.differences(model) for s in self._sessions.values()}
            for session in self._sessions.values():
                session.hand_over(model)
        for symbol, fields in lost.items():
            if fields:
                logger.warning(
                    "%r must warm up again, %.0f s of history: the new model has other %s; "
                    "warm_up(history) shortens it",
                    symbol,
                    model.needed_buckets * model.settings.bucket_s,
                    ", ".join(fields),
                )
