"""Custom features that cannot be: wrong declarations, and steps that do not work."""

import math

import numba
import numpy as np
import pytest

from alphaseeker import custom_feature
from alphaseeker.errors import ConfigError
from alphaseeker.features.custom import define_feature


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "1st"}, "'1st' is no name for a custom feature"),
        ({"name": "a.b"}, r"'a\.b' is no name"),
        ({"name": "größe"}, "is no name"),
        ({"name": ""}, "'' is no name"),
        ({"name": 3}, "3 is no name"),
        ({"step": 3}, "has 3 for its step; it must be a function"),
        ({"step": lambda state, tick: 1.0}, "it must be a function step.state, tick, window_s."),
        ({"state": np.float64}, "state of custom feature 'x' is float64; it must be a structured"),
        ({"state": [("a", object)]}, "must be a structured dtype of numbers"),
        ({"state": [("a", "U5")]}, "must be a structured dtype of numbers"),
        ({"state": [("a", [("b", "M8[ns]")])]}, "must be a structured dtype of numbers"),
        ({"state": "nonsense"}, "is 'nonsense', which is no dtype"),
        ({"windows": (0,)}, r"windows of custom feature 'x' is \(0,\)"),
        ({"windows": (-5,)}, "holds -5; it must be a finite number of seconds"),
        ({"windows": (5, 5.0)}, "and stand once"),
        ({"windows": ("5",)}, "holds '5'"),
        ({"windows": "5"}, "is '5'; it must be a list of seconds"),
        ({"windows": 5}, "is 5; it must be a list of seconds"),
        ({"windows": (math.nan,)}, "holds nan"),
        ({"history_s": math.inf}, "history_s of custom feature 'x' holds inf"),
        ({"history_s": True}, "holds True"),
        ({"unit": 1}, "has the unit 1; it must be text"),
    ],
)
def test_what_cannot_be_declared(arguments, message):
    given = {"name": "x", "step": lambda state, tick, window_s: 1.0, **arguments}
    with pytest.raises(ConfigError, match=message):
        define_feature(given.pop("name"), given.pop("step"), **given)


def test_a_decorator_without_its_settings_is_refused():
    with pytest.raises(ConfigError, match=r"write @custom_feature\(\)"):
        custom_feature(lambda state, tick, window_s: 1.0)


def unknown_field(state, tick, window_s):
    return tick.middle


def raises(state, tick, window_s):
    raise ValueError("never so")


def returns_text(state, tick, window_s):
    return "much"


def returns_nothing(state, tick, window_s):
    state.unused = 1.0


def returns_nothing_at_times(state, tick, window_s):
    if tick.mid > 0.0:
        return tick.mid
    return None


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (unknown_field, "custom feature 'x' cannot be used.*middle"),
        (raises, "'x' cannot be used.*ValueError: never so"),
        (returns_text, "its step returned 'much'; it must return a number"),
        (returns_nothing, "its step returned None"),
        pytest.param(
            returns_nothing_at_times,
            "its step may return None; it must return a number on every way",
            marks=pytest.mark.skipif(numba.config.DISABLE_JIT, reason="Python has no types"),
        ),
    ],
)
def test_a_step_that_does_not_work_is_told_at_once(step, message):
    with pytest.raises(ConfigError, match=message) as caught:
        define_feature("x", step).check()
    assert "\n" not in str(caught.value)
