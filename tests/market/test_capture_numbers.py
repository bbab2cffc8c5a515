"""Names of captures become the numbers that files give them."""

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.market import capture_numbers
from alphaseeker.market.capture_numbers import CaptureNumbers
from alphaseeker.market.schema import session_code


def test_numbers_are_those_of_files():
    numbers = CaptureNumbers()
    for name in ("morning", 7, np.int64(8), "7"):
        assert numbers.number(name) == session_code(name)
    assert numbers.number(7) == numbers.number("7")


@pytest.mark.parametrize("name", [None, ""])
def test_no_name_is_no_number(name):
    assert CaptureNumbers().number(name) == 0


@pytest.mark.parametrize("name", [True, 1.5, [1], b"x"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(DataError, match="session is"):
        CaptureNumbers().number(name)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(capture_numbers, "MAX_NAMES", 3)
    numbers = CaptureNumbers()
    for name in range(10):
        assert numbers.number(name) == session_code(name)
    assert len(numbers._numbers) <= 3
