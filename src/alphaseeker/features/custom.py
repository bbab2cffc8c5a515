"""Features of the user's own: a scalar step declared once, for batch, live and the model file.

A custom feature has no place in a global registry: it goes to the engine that trains or serves with
it, or to a ``MicrostructureFeatureEngineer``, and from there into the settings of the features.
"""

from __future__ import annotations

import importlib
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from alphaseeker._jit import allocate_record
from alphaseeker.errors import ConfigError, ModelError
from alphaseeker.features.custom_source import step_digest
from alphaseeker.features.custom_step import (
    CLOCK,
    StepKernels,
    column_dtype,
    compile_step,
    no_number,
    take_tick,
)
from alphaseeker.features.declaration import Feature

__all__ = [
    "CUSTOM_FAMILY",
    "CustomFeature",
    "check_name",
    "custom_feature",
    "define_feature",
    "find_declared",
    "imported",
]

CUSTOM_FAMILY = "custom"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_STATE = [("unused", np.float64)]  # a record without a field would be no record
NUMBERS = "iufb"
NOON_NS = 1_600_000_000_000_000_000

Step = Callable[[Any, Any, float], float]
State = Any  # what np.dtype takes


@dataclass(frozen=True, kw_only=True)
class CustomFeature:
    """A scalar step of the user's own, with what it needs; made by ``custom_feature``.

    Two are equal where they have the same name and mean the same.

    Attributes
    ----------
    name
        The columns are ``custom.<name>``, or ``custom.<name>_<window>s`` for each window.
    step
        ``step(state, tick, window_s) -> float``, as written, not compiled.
    state
        Structured dtype of the state, zeroed at the start of every segment.
    windows
        Seconds; empty for one column, whose ``window_s`` is 0.
    unit
        For the table of features.
    history_s
        Seconds, rounded up to whole buckets, before which the columns are NaN.
    formula
        First line of the step's docstring.
    digest
        SHA-256 of the step's source, of what it refers to, and of the state.
    """

    name: str
    step: Step = field(compare=False, repr=False)
    state: np.dtype[Any]
    windows: tuple[float, ...]
    unit: str
    history_s: float
    formula: str
    digest: str

    def __deepcopy__(self, memo: object) -> CustomFeature:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A decorated step is to be found under its name, which is this object's now.
        module, name = self.step.__module__, self.step.__qualname__
        if getattr(importlib.import_module(module), name, None) is self:
            return imported, (module, name)
        return _defined, (
            self.name,
            self.step,
            self.state,
            self.windows,
            self.unit,
            self.history_s,
        )

    @cached_property
    def columns(self) -> tuple[Feature, ...]:
        """The declarations of the columns, in the order of the windows."""
        return tuple(
            Feature(
                name=f"{CUSTOM_FAMILY}.{self.name}" + (f"_{window:g}s" if self.windows else ""),
                family=CUSTOM_FAMILY,
                signal=self.name,
                unit=self.unit,
                window_s=window,
                memory_s=math.ceil(self.history_s),
                shortest_s=0,
                lag_s=0,
                lag_buckets=0,
                bar=False,
                inputs=(),
                levels=0,
                formula=self.formula,
                source=f"custom, SHA-256 {self.digest}",
                rounded_up=True,
            )
            for window in self.windows or (0,)
        )

    @cached_property
    def kernels(self) -> StepKernels:
        """The kernels that run the step; see ``check``."""
        return compile_step(self.step)

    def declaration(self) -> dict[str, Any]:
        """Return what a model file keeps: plain values, and no code."""
        return {
            "name": self.name,
            "windows": list(self.windows),
            "unit": self.unit,
            "history_s": self.history_s,
            "state": repr(self.state.descr),
            "digest": self.digest,
        }

    def allocate(
        self, window_s: float = 0.0, *, needed: int = 0, place: int = 0
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Return a fresh record of ``column_dtype`` (one element), and the bytes of its state."""
        dtype = column_dtype(self.state)
        column = allocate_record(dtype)
        column["window_s"] = window_s
        column["needed"] = needed
        column["place"] = place
        column["value"] = math.nan
        # The state stands first in the record.
        return column, column.view(np.uint8)[: self.state.itemsize]

    def check(self) -> None:
        """Compile the step and call it on a made-up tick.

        Raises
        ------
        ConfigError
            It does not compile, returns no number, or raises.
        """
        clocks = allocate_record(CLOCK)
        quote = (100.0, 100.1, 2.0, 3.0, 100.0, 1.0, math.nan, math.nan)
        take_tick(clocks, NOON_NS, *quote, 100.05, 1, 0)
        column, _ = self.allocate((self.windows or (0.0,))[0])
        try:
            given = self.kernels.attempt(clocks, column)
        except Exception as error:
            raise ConfigError(
                f"custom feature {self.name!r} cannot be used: its step, compiled by Numba and "
                f"called on a first tick, raised {type(error).__name__}: {_first_line(error)}"
            ) from error
        wrong = no_number(given, self.kernels.attempt)
        if wrong:
            raise ConfigError(
                f"custom feature {self.name!r} cannot be used: its step {wrong}; it must return a "
                "number on every way through it"
            )


def _first_line(error: Exception) -> str:
    """Return the first line that says something, cut where it goes on for long."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith("Failed in nopython mode")]
    return textwrap.shorten(telling[0] if telling else "no reason given", 200)


def imported(module: str, name: str) -> Any:
    """Return what a module shows under a name: a decorated function, when it is unpickled."""
    return getattr(importlib.import_module(module), name)


def _defined(name: str, step: Step, *declared: Any) -> CustomFeature:
    state, windows, unit, history_s = declared
    return define_feature(name, step, state=state, windows=windows, unit=unit, history_s=history_s)


def custom_feature(
    state: State = None,
    windows: Sequence[float] = (),
    unit: str = "",
    history_s: float = 0,
    name: str | None = None,
) -> Callable[[Step], CustomFeature]:
    """Return a decorator that makes a scalar function a custom feature.

    The function is ``step(state, tick, window_s) -> float``, in the Python that Numba compiles. It
    is called once for every accepted tick, in batch as live, and changes ``state`` in place.
    ``tick`` has ``timestamp`` (ns), ``bid_price``, ``ask_price``, ``bid_volume``, ``ask_volume``,
    ``close``, ``volume``, ``buy_volume``, ``sell_volume`` (NaN where unknown), ``mid``,
    ``elapsed_s`` (since the accepted tick before) and ``first`` (1 at the first tick of a segment,
    whose volume was traded before it). What it returns leaves as float32; NaN, an infinity and an
    exception are a missing value.

    Parameters
    ----------
    state
        Structured dtype, or its list of fields; numbers only. Zeroed at the start of every
        segment (another session, or a gap). None for a step without memory.
    windows
        Seconds: one column for each, with ``window_s`` handed to the step. Empty for one column.
    unit
        For the table of features.
    history_s
        The columns are NaN until so many seconds, rounded up to whole buckets, were seen; the step
        is called from the first tick on.
    name
        By default the function's.

    Raises
    ------
    ConfigError
        A name, dtype, window or history cannot be used.

    Examples
    --------
    >>> @custom_feature(state=[("average", float)], windows=(5, 60), unit="1", history_s=60)
    ... def slow_imbalance(state, tick, window_s):
    ...     "E_w(I), I the imbalance of the quote"
    ...     imbalance = (tick.bid_volume - tick.ask_volume) / (tick.bid_volume + tick.ask_volume)
    ...     weight = 1.0 if tick.first == 1 else 1.0 - 0.5 ** (tick.elapsed_s / window_s)
    ...     state.average += weight * (imbalance - state.average)
    ...     return state.average
    """
    if inspect.isfunction(state):
        raise ConfigError("custom_feature takes its settings first: write @custom_feature()")

    def declare(step: Step) -> CustomFeature:
        named = name if name is not None else getattr(step, "__name__", "")
        return define_feature(
            named, step, state=state, windows=windows, unit=unit, history_s=history_s
        )

    return declare


def define_feature(
    name: str,
    step: Step,
    *,
    state: State = None,
    windows: Sequence[float] = (),
    unit: str = "",
    history_s: float = 0,
) -> CustomFeature:
    """Return ``step`` as a custom feature; see ``custom_feature``.

    Raises
    ------
    ConfigError
        A name, dtype, window or history cannot be used, or ``step`` is no function.
    """
    check_name(name)
    function = getattr(step, "py_func", step)  # of one that Numba has compiled
    if not inspect.isfunction(function) or len(inspect.signature(function).parameters) != 3:
        raise ConfigError(
            f"custom feature {name!r} has {step!r} for its step; it must be a function "
            "step(state, tick, window_s) that returns a number"
        )
    dtype = _state_dtype(name, state)
    if not isinstance(unit, str):
        raise ConfigError(f"custom feature {name!r} has the unit {unit!r}; it must be text")
    text = inspect.getdoc(function) or ""
    return CustomFeature(
        name=name,
        step=function,
        state=dtype,
        windows=_windows(name, windows),
        unit=unit,
        history_s=_seconds(name, "history_s", history_s),
        formula=text.splitlines()[0] if text else "",
        digest=step_digest(function, dtype),
    )


def find_declared(
    declared: Sequence[Mapping[str, Any]], custom: Sequence[CustomFeature]
) -> tuple[CustomFeature, ...]:
    """Return those of ``custom`` that a model file declares.

    Parameters
    ----------
    declared
        What ``CustomFeature.declaration`` gave.

    Raises
    ------
    ModelError
        One is absent, or is defined otherwise.
    """
    by_name = {feature.name: feature for feature in custom}
    for one in declared:
        name = one.get("name")
        feature = by_name.get(str(name))
        if feature is None:
            raise ModelError(
                f"the model needs the custom feature {name!r}, which is not registered; call "
                f"register_feature({name!r}, ...) with the step it was trained with before you "
                "load it"
            )
        present = feature.declaration()
        differing = [key for key in present if one.get(key) != present[key]]
        if differing:
            raise ModelError(
                f"the definition of the custom feature {name!r} differs from the one that the "
                f"model was trained with ({', '.join(differing)}); register that one, or train "
                "again"
            )
    return tuple(by_name[str(one["name"])] for one in declared)


def check_name(name: object) -> None:
    """Check the name of a custom feature.

    Raises
    ------
    ConfigError
        It holds more than ASCII letters, digits and underscores, or begins with a digit.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a custom feature; it must be made of ASCII letters, digits "
            "and underscores, and not begin with a digit"
        )


def _state_dtype(name: str, state: State) -> np.dtype[Any]:
    """Return the dtype of the state, its fields aligned."""
    try:
        dtype = np.dtype(NO_STATE if state is None else state)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the state of custom feature {name!r} is {state!r}, which is no dtype: {error}"
        ) from error
    if not dtype.names or not _numeric(dtype):
        raise ConfigError(
            f"the state of custom feature {name!r} is {dtype}; it must be a structured dtype of "
            "numbers, such as [('mean', np.float64), ('ring', np.float64, (64,))], or None"
        )
    fields = [(one, dtype.fields[one][0]) for one in dtype.names]  # type: ignore[index]
    return np.dtype(fields, align=True)


def _numeric(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _numeric(dtype.subdtype[0])
    if dtype.names:
        return all(_numeric(dtype.fields[one][0]) for one in dtype.names)  # type: ignore[index]
    return dtype.kind in NUMBERS and dtype.isnative


def _windows(name: str, windows: Any) -> tuple[float, ...]:
    if isinstance(windows, str) or not isinstance(windows, Sequence):
        raise ConfigError(
            f"windows of custom feature {name!r} is {windows!r}; it must be a list of seconds"
        )
    lengths = tuple(_seconds(name, "windows", window) for window in windows)
    if 0 in lengths or len(set(lengths)) < len(lengths):
        raise ConfigError(
            f"windows of custom feature {name!r} is {windows!r}; each must be a number of seconds "
            "above 0, and stand once"
        )
    return lengths


def _seconds(name: str, key: str, value: float) -> float:
    """Return a number of seconds; an int where it is whole, so that 5 and 5.0 are one window."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and value is not True
    if not number or not 0 <= value < math.inf:
        raise ConfigError(
            f"{key} of custom feature {name!r} holds {value!r}; it must be a finite number of "
            "seconds from 0 up"
        )
    return int(value) if float(value).is_integer() else float(value)
