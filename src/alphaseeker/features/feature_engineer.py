"""The public face of the features: a scikit-learn transformer, and streams with its settings.

scikit-learn is not needed to use it: cloning, pipelines, parameter search and ``set_output`` go by
methods, which are here, and its own types are imported where it asks for them.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker.config import Config, load_config
from alphaseeker.errors import ConfigError, StateError
from alphaseeker.features.batch import column_indices, step_through
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.choice import choose_features
from alphaseeker.features.containers import CONTAINERS, SourceRows, TickRows, read_rows, wrap
from alphaseeker.features.documentation import features_table
from alphaseeker.features.settings import fit_settings
from alphaseeker.features.stream import FeatureStream
from alphaseeker.market.schema import TickSeries

__all__ = ["MicrostructureFeatureEngineer"]


class MicrostructureFeatureEngineer:
    """Features of order-book ticks, in batch and as a stream, by one and the same step.

    ``fit`` reads the tick size and the bucket length off the training data, ``transform`` computes
    the columns.

    Parameters
    ----------
    features
        Names of the columns, in the order wanted; by default the catalogue.
    families, windows
        Keep the columns of these families and of these windows (in seconds; columns without a
        window in their name stay).
    bucket_s
        Length of a bucket, 1 to 900 seconds, or "auto": the cadence of the data.
    tick_size
        Smallest price step, or "auto": inferred from the data.
    max_gap_s
        A longer gap between accepted ticks begins the features anew.
    max_jump
        Largest relative change of the mid between ticks that needs no confirmation.
    price_col
        The column read as ``close``.

    Attributes
    ----------
    settings_
        ``FeatureSettings``, once fitted.

    Examples
    --------
    >>> engineer = MicrostructureFeatureEngineer(families=["book", "flow"], windows=[5, 60])
    >>> frame = engineer.fit_transform(train)  # doctest: +SKIP
    >>> stream = engineer.stream("BTCUSDT")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        features: Sequence[str] | None = None,
        families: Sequence[str] | None = None,
        windows: Sequence[int] | None = None,
        bucket_s: float | str = "auto",
        tick_size: float | str = "auto",
        max_gap_s: float = 900.0,
        max_jump: float = 0.2,
        price_col: str = "close",
    ) -> None:
        # As scikit-learn wants it: parameters are kept as given and checked in fit.
        self.features = features
        self.families = families
        self.windows = windows
        self.bucket_s = bucket_s
        self.tick_size = tick_size
        self.max_gap_s = max_gap_s
        self.max_jump = max_jump
        self.price_col = price_col

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in PARAMETERS]
        changed = [f"{n}={value!r}" for n, value in given if value is not PARAMETERS[n].default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` changes nothing, none is an estimator."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def set_params(self, **parameters: Any) -> MicrostructureFeatureEngineer:
        """Change parameters: the choice of columns holds at once, the rest from the next ``fit``.

        Raises
        ------
        ConfigError
            An unknown name.
        """
        for name in parameters:
            if name not in PARAMETERS:
                nearest = difflib.get_close_matches(name, PARAMETERS, n=1, cutoff=0.0)[0]
                raise ConfigError(f"unknown parameter {name!r}; the nearest one is {nearest!r}")
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def fit(self, X: TickRows, y: object = None) -> MicrostructureFeatureEngineer:
        """Fit the tick size and the bucket length to ``X``, which must be training data only.

        Parameters
        ----------
        X
            A frame, a path, a glob, a directory, or a list of ``TickSeries``.
        y
            Ignored.

        Raises
        ------
        ConfigError
            A parameter is out of its range or names what is not in the catalogue.
        DataError
            ``X`` cannot be read.
        """
        self._check()
        self.settings_ = self._fitted(read_rows(X, price_col=self.price_col).series)
        return self

    def transform(self, X: TickRows) -> Any:
        """Compute the features of every row of ``X``.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame or numpy.ndarray
            Shape (n, k), float32: a frame like ``X`` with its index, an array for other sources,
            or what ``set_output`` asked for. One row per row of ``X``, in its order; of several
            files or series, one series after another as ``read_ticks`` gives them. Rows that the
            quality gate did not accept are NaN throughout.

        Raises
        ------
        StateError
            Not fitted.
        DataError
            ``X`` cannot be read.
        """
        settings = self._settings()
        return self._transformed(read_rows(X, price_col=self.price_col), settings)

    def fit_transform(self, X: TickRows, y: object = None) -> Any:
        """Do ``fit(X)`` and ``transform(X)``, reading ``X`` once."""
        self._check()
        rows = read_rows(X, price_col=self.price_col)
        self.settings_ = self._fitted(rows.series)
        return self._transformed(rows, self.settings_)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[Any]:
        """Return the k column names, dtype object; ``input_features`` does not matter to them."""
        return np.array(self._names(), dtype=object)

    def features_table(self) -> list[dict[str, Any]]:
        """Return a row per column: name, family, unit, window_s, history_s, formula, source."""
        return features_table(self._names())

    def set_output(self, *, transform: str | None = None) -> MicrostructureFeatureEngineer:
        """Choose what ``transform`` returns.

        "pandas", "polars", "default" (a frame like the input, or an array), or None: as it is.

        Raises
        ------
        ConfigError
            Another word.
        """
        if transform is not None:
            if transform not in CONTAINERS:
                raise ConfigError(f"transform is {transform!r}; it must be one of {CONTAINERS}")
            # Under this name sklearn.base.clone takes it along.
            self._sklearn_output_config = {"transform": transform}
        return self

    def stream(self, symbol: str = "") -> FeatureStream:
        """Return a fresh stream of one symbol with the fitted settings.

        Raises
        ------
        StateError
            Not fitted.
        """
        return FeatureStream(symbol, self._names(), self._settings())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "settings_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(allow_nan=True, string=True),
        )

    def _names(self) -> tuple[str, ...]:
        return choose_features(self.features, families=self.families, windows=self.windows)

    def _config(self) -> Config:
        keys = {"BUCKET_S": self.bucket_s, "MAX_GAP_S": self.max_gap_s, "MAX_JUMP": self.max_jump}
        return load_config(None, keys)

    def _check(self) -> None:
        """Check the parameters before any data is read."""
        self._names()
        self._config()
        if self.tick_size != "auto":
            FeatureSettings(tick_size=self.tick_size)  # type: ignore[arg-type]

    def _fitted(self, series: Sequence[TickSeries]) -> FeatureSettings:
        settings = fit_settings(series, self._config())
        given = self.tick_size
        return (
            settings
            if isinstance(given, str)
            else replace(settings, tick_size=float(given), tick_sizes={})
        )

    def _settings(self) -> FeatureSettings:
        if not self.__sklearn_is_fitted__():
            raise StateError(
                f"this {type(self).__name__} is not fitted; call fit with the training data first"
            )
        return self.settings_

    def _transformed(self, rows: SourceRows, settings: FeatureSettings) -> Any:
        names = self._names()
        columns = column_indices(names)
        parts = [step_through(series, settings, columns)[0] for series in rows.series]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if rows.order is not None:
            values = values[rows.order]
        wanted = getattr(self, "_sklearn_output_config", {"transform": "default"})["transform"]
        return wrap(values, names, wanted=wanted, rows=rows)


# Name to inspect.Parameter, self left out.
PARAMETERS = inspect.signature(MicrostructureFeatureEngineer).parameters
