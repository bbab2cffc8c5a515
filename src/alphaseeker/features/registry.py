"""The custom features of one engine: registered by name, for training and for serving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from alphaseeker.errors import ConfigError
from alphaseeker.features.block import FeatureSettings
from alphaseeker.features.custom import CustomFeature, check_name, define_feature
from alphaseeker.features.frame_feature import FrameFeature

__all__ = ["FeatureRegistry"]


class FeatureRegistry:
    """Holds custom features for the engine that inherits from it."""

    def __init__(self) -> None:
        self._custom: tuple[CustomFeature, ...] = ()

    @property
    def custom(self) -> tuple[CustomFeature, ...]:
        """The custom features, in the order in which they were registered."""
        return self._custom

    def register_feature(
        self,
        name: str,
        step: Callable[[Any, Any, float], float] | CustomFeature,
        state: Any = None,
        windows: Sequence[float] = (),
        unit: str = "",
        history_s: float = 0,
    ) -> None:
        """Take a feature of your own in: from now on models are trained with it.

        A model that was trained with it is served only where the same step is registered before
        ``load_model``: the file holds its name and a digest of its source, no code.

        Parameters
        ----------
        name
            The columns are ``custom.<name>``, or ``custom.<name>_<window>s`` for each window.
        step
            A scalar function ``step(state, tick, window_s) -> float``, or what
            ``alphaseeker.custom_feature`` made of one: the other arguments are then its own.
        state, windows, unit, history_s
            See ``alphaseeker.custom_feature``.

        Raises
        ------
        ConfigError
            The name is taken or cannot be one, an argument is out of its range, the step cannot be
            compiled or fails on a first tick, or it is a frame feature.
        """
        check_name(name)
        if isinstance(step, FrameFeature):
            raise ConfigError(
                f"{name!r} is a frame feature, which has no streaming form: an engine cannot serve "
                "it; give a step that custom_feature decorates, or compute it with "
                "MicrostructureFeatureEngineer(custom=[...]) for research"
            )
        if isinstance(step, CustomFeature):
            if state is not None or tuple(windows) or unit or history_s:
                raise ConfigError(
                    f"custom feature {name!r} was declared by its decorator; leave state, windows, "
                    "unit and history_s out"
                )
            feature = step if step.name == name else replace(step, name=name)
        else:
            feature = define_feature(
                name, step, state=state, windows=windows, unit=unit, history_s=history_s
            )
        if any(one.name == name for one in self._custom):
            raise ConfigError(f"a custom feature {name!r} is registered already; give another name")
        FeatureSettings(custom=(*self._custom, feature))  # no two columns of one name
        feature.check()
        self._custom = (*self._custom, feature)
