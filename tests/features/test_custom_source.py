"""The digest of a step: what changes its meaning changes it, and nothing else does."""

import math
import sys
import types

import numpy as np
import pytest

from alphaseeker import _jit
from alphaseeker.features.custom_source import is_wholly_told, source_digest

SCALE = 2.0


def step(state, tick, window_s):
    return SCALE * tick.mid


same_step = step


def of_half_life(half_life):
    def decayed(state, tick, window_s):
        return tick.mid * half_life

    return decayed


def twice(value):
    return 2.0 * value


def by_helper(state, tick, window_s):
    return twice(tick.mid) + math.pi


def endless(state, tick, window_s):
    return endless(state, tick, window_s) if tick.mid < 0 else 1.0


def of_table(table):
    def looked_up(state, tick, window_s):
        return table[0]

    return looked_up


def test_the_same_source_gives_the_same_digest():
    assert source_digest(step) == source_digest(same_step)
    assert source_digest(of_half_life(5.0)) == source_digest(of_half_life(5.0))
    assert len(source_digest(step)) == 64
    assert source_digest(_jit.user_kernel(step)) == source_digest(step)
    assert len(source_digest(endless)) == 64


def test_what_it_takes_from_around_it_counts(monkeypatch):
    assert source_digest(of_half_life(5.0)) != source_digest(of_half_life(6.0))
    tables = [np.array([1.0]), np.array([2.0]), np.array([1.0], dtype=np.float32), (1.0, 2.0)]
    assert len({source_digest(of_table(table)) for table in tables}) == 4
    before, outer = source_digest(step), source_digest(by_helper)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    assert source_digest(step) != before
    monkeypatch.setitem(globals(), "twice", lambda value: value + value)
    assert source_digest(by_helper) != outer


def test_a_decorator_does_not_count():
    def decorated(function):
        return function

    def factory(plain):
        if plain:

            def value(state, tick, window_s):
                return tick.mid
        else:

            @decorated
            def value(state, tick, window_s):
                return tick.mid

        return value

    assert source_digest(factory(True)) == source_digest(factory(False))


def test_without_a_source_the_code_counts():
    digests = []
    for body in ("tick.mid", "tick.mid", "tick.close", "tick.mid + 1.0"):
        scope: dict = {}
        exec(f"def step(state, tick, window_s):\n    return {body}", scope)
        digests.append(source_digest(scope["step"]))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert source_digest(lambda s, t, w: t.mid) != source_digest(lambda s, t, w: t.close)


class Tuning:
    HALF_LIFE = 5.0
    UNUSED = 1.0
    KIND = "fast"

    @staticmethod
    def scaled(value):
        return value * SCALE


OBJECT = object()
SETTINGS = types.ModuleType("settings")
SETTINGS.HALF_LIFE = 5.0
SETTINGS.Tuning = Tuning
HALVES = (of_half_life(0.5), of_half_life(0.25))


def in_comprehension(state, tick, window_s):
    return sum([SCALE * value for value in (tick.mid, tick.close)])


def in_generator(state, tick, window_s):
    return sum(SCALE * value for value in (tick.mid, tick.close))


def in_inner_function(state, tick, window_s):
    def scaled(value):
        return SCALE * value

    return scaled(tick.mid)


def in_a_function_of_a_class(state, tick, window_s):
    return Tuning.scaled(tick.mid)


def of_class(state, tick, window_s):
    return sum([Tuning.HALF_LIFE * value for value in (tick.mid,)])


def of_module(state, tick, window_s):
    return SETTINGS.HALF_LIFE * tick.mid


def of_class_in_module(state, tick, window_s):
    return SETTINGS.Tuning.HALF_LIFE * tick.mid


def under_another_name(state, tick, window_s):
    tuning = Tuning
    return tuning.HALF_LIFE * tick.mid


def of_class_in_closure(tuning):
    def step(state, tick, window_s):
        return tuning.HALF_LIFE * tick.mid

    return step


of_closed_class = of_class_in_closure(Tuning)


@pytest.mark.parametrize(
    ("function", "holder", "name"),
    [
        (in_comprehension, sys.modules[__name__], "SCALE"),
        (in_generator, sys.modules[__name__], "SCALE"),
        (in_inner_function, sys.modules[__name__], "SCALE"),
        (in_a_function_of_a_class, sys.modules[__name__], "SCALE"),
        (of_class, Tuning, "HALF_LIFE"),
        (of_module, SETTINGS, "HALF_LIFE"),
        (of_class_in_module, Tuning, "HALF_LIFE"),
        (under_another_name, Tuning, "HALF_LIFE"),
        (of_closed_class, Tuning, "HALF_LIFE"),
    ],
)
def test_a_constant_counts_wherever_it_is_read(function, holder, name, monkeypatch):
    before = source_digest(function)
    monkeypatch.setattr(Tuning, "UNUSED", 2.0)
    monkeypatch.setattr(Tuning, "KIND", "slow")
    # An attribute of the tick is not the module's constant of that name.
    monkeypatch.setitem(globals(), "mid", 7.0)
    assert source_digest(function) == before
    changed = set()
    for value in (7.0, 8.0, (7.0, 8.0), "7.0"):
        monkeypatch.setattr(holder, name, value)
        changed.add(source_digest(function))
    assert len(changed - {before}) == 4
    monkeypatch.undo()
    assert source_digest(function) == before


def test_two_closures_of_one_factory_both_count():
    def step_of(first, second):
        def step(state, tick, window_s):
            return first(state, tick, window_s) + second(state, tick, window_s)

        return step

    one = source_digest(step_of(*HALVES))
    assert one == source_digest(step_of(*HALVES))
    assert one != source_digest(step_of(HALVES[0], of_half_life(0.125)))
    assert one != source_digest(step_of(HALVES[1], HALVES[0]))


def test_of_another_object_the_type_counts():
    digests = [source_digest(of_table(table)) for table in ([1.0], [2.0], {0: 1.0}, (1.0, OBJECT))]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@np.vectorize
def of_a_library(value):
    return value


def by_object(state, tick, window_s):
    return of_a_library(tick.mid)


def by_numpy(state, tick, window_s):
    return math.log(np.sqrt(abs(tick.mid)))


def test_what_is_told_wholly():
    for told in (step, by_helper, by_numpy, endless, of_half_life(5.0), of_table((1.0, 2.0))):
        assert is_wholly_told(told)
    for table in ([1.0], {0: 1.0}, types.SimpleNamespace()):
        assert not is_wholly_told(of_table(table))
    assert not is_wholly_told(by_object)


class Doubled:
    def __init__(self, value):
        self.value = 2.0 * value


def by_class(state, tick, window_s):
    return Doubled(tick.mid)


def by_module_of_another_name(state, tick, window_s):
    numbers = np
    return numbers.random.random()


def test_what_a_class_or_another_name_of_a_module_leads_to_is_not_told():
    assert not is_wholly_told(by_class)
    assert not is_wholly_told(by_module_of_another_name)
