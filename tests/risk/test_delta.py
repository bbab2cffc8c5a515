"""Changed words of a record, and a record from changed words."""

from __future__ import annotations

import numpy as np
import pytest

from alphaseeker.risk.delta import BODY, apply_step, delta_step, head_check, section_room, tick_step


@pytest.mark.parametrize("words", [1, 63, 64, 65, 200])
def test_what_was_written_gives_the_record_again(words: int) -> None:
    rng = np.random.default_rng(words)
    now = np.zeros(words, np.uint64)
    before, copy = now.copy(), now.copy()
    out = np.zeros(3 + section_room(words), np.uint64)
    for changes in (0, 1, words // 2, words):
        for _ in range(5):
            where = rng.choice(words, changes, replace=False)
            now[where] = rng.integers(0, 2**64, changes, dtype=np.uint64)
            place = delta_step(out, 3, 7, now, before, words, False)
            assert place <= len(out)
            assert place - 3 <= 1 + (words + 63) // 64 + changes
            assert out[3] >> np.uint64(32) == 7
            np.testing.assert_array_equal(before, now)
            assert apply_step(out, 3, copy) == place
            np.testing.assert_array_equal(copy, now)


def test_nan_and_the_sign_of_zero_are_values_like_others() -> None:
    now = np.array([np.nan, 0.0, 1.0])
    before = now.copy()
    out = np.zeros(8, np.uint64)
    views = now.view(np.uint64), before.view(np.uint64)
    assert delta_step(out, 0, 1, *views, 3, False) == 2
    now[:] = [np.nan, -0.0, np.nan]
    assert delta_step(out, 0, 1, *views, 3, False) == 4


def test_the_head_of_a_record_alone_and_a_whole_one() -> None:
    now, before = np.arange(100, dtype=np.uint64), np.zeros(100, np.uint64)
    out = np.zeros(110, np.uint64)
    assert delta_step(out, 0, 1, now, before, 10, False) == 2 + 9
    assert not before[10:].any()
    assert delta_step(out, 0, 1, now, before, 100, True) == 3 + 100


def test_a_tick_is_a_frame_of_account_and_position() -> None:
    account, position = np.arange(90, dtype=np.uint64), np.arange(50, dtype=np.uint64)
    out = np.zeros(200, np.uint64)
    zero = np.zeros(90, np.uint64), np.zeros(50, np.uint64)
    length = tick_step(out, 12, 2, account, zero[0], 90, 5, position, zero[1])
    copies = np.zeros(90, np.uint64), np.zeros(50, np.uint64)
    middle = apply_step(out, BODY, copies[0])
    assert out[middle] == 5 << 32 | 50
    assert 8 * (apply_step(out, middle, copies[1]) + 1) == length
    np.testing.assert_array_equal(copies[0], account)
    np.testing.assert_array_equal(copies[1], position)
    assert out[0] >> np.uint64(32) == length
    assert out[1] == 12
    assert out[2] == head_check(out[0], out[1])


def test_the_check_of_a_head_sees_every_bit() -> None:
    rng = np.random.default_rng(1)
    for first, second in rng.integers(0, 2**64, (20, 2), dtype=np.uint64):
        check = head_check(first, second)
        assert 0 <= check < 2**32
        for bit in range(64):
            flip = np.uint64(1) << np.uint64(bit)
            assert head_check(first ^ flip, second) != check
            assert head_check(first, second ^ flip) != check


def test_a_section_of_another_record_is_refused() -> None:
    now, before = np.ones(100, np.uint64), np.zeros(100, np.uint64)
    out = np.zeros(110, np.uint64)
    end = delta_step(out, 0, 1, now, before, 100, False)
    assert apply_step(out, 0, np.zeros(99, np.uint64)) == -1
    assert apply_step(out[: end - 1].copy(), 0, np.zeros(100, np.uint64)) == -1
    assert apply_step(out[:1].copy(), 0, np.zeros(100, np.uint64)) == -1
