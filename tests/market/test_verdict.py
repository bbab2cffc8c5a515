"""What the fields of a tick may hold, one by one, against the oracle."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.market.schema import TICK
from alphaseeker.market.verdict import Verdict, refusal_step
from oracles.gate import FIELDS, is_bad

GOOD = dict(zip(FIELDS, (10**18, 100.0, 100.5, 3.0, 2.0, 100.5, 0.5, 0.5, 0.0), strict=True))
LARGEST = float(np.finfo(np.float32).max)
ODD = [0.0, -0.0, -1.0, math.nan, math.inf, -math.inf, 5e-324, LARGEST, 2 * LARGEST, 1e308]


@numba.njit
def refusal_inside(*fields):
    return refusal_step(*fields)


def verdict(tick, judge=refusal_step):
    return Verdict(judge(tick["timestamp"], *(float(tick[name]) for name in FIELDS[1:])))


def expected(tick):
    bad = next((name for name in FIELDS if is_bad(name, tick)), None)
    return Verdict.ACCEPTED if bad is None else Verdict[f"BAD_{bad.upper()}"]


def test_refusals_are_numbered_in_the_order_of_the_fields():
    refused = sorted((one for one in Verdict if one < 0), reverse=True)
    assert [one.name for one in refused] == [f"BAD_{name.upper()}" for name in TICK.names[:-1]]
    assert [int(one) for one in refused] == list(range(-1, -10, -1))


@pytest.mark.parametrize("judge", [refusal_step, refusal_inside], ids=["outside", "inside njit"])
@pytest.mark.parametrize("name", FIELDS)
def test_each_field_has_its_range(name, judge):
    assert verdict(GOOD, judge) is Verdict.ACCEPTED
    values = [0, -1, 1, -(2**63), 2**63 - 1] if name == "timestamp" else ODD
    for value in values:
        tick = {**GOOD, name: value}
        assert verdict(tick, judge) is expected(tick), value


@settings(deadline=None, derandomize=True)
@given(st.tuples(*[st.sampled_from([*ODD, 1.0, 1.0, 1.0])] * 8), st.sampled_from([-1, 0, 1]))
def test_the_first_bad_field_is_named(values, timestamp):
    tick = dict(zip(FIELDS, (timestamp, *values), strict=True))
    assert verdict(tick) is expected(tick)
