import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from alphaseeker.errors import DataError
from alphaseeker.market import array_file
from alphaseeker.market.array_file import (
    GrowingArray,
    file_array,
    in_file,
    release,
    stored_like,
    trim_memory,
)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Keep the files of a test in a folder of its own."""
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    return tmp_path / "scratch"


def memory_kb(*kinds: str) -> int:
    text = Path("/proc/self/status").read_text()
    return sum(int(text.partition(f"{kind}:")[2].split()[0]) for kind in kinds)


def mapped_kb() -> int:
    """Return what of files is in this process's memory; the second kind is of a tmpfs."""
    return memory_kb("RssFile", "RssShmem")


def test_an_array_in_a_file_has_no_name_and_keeps_its_values(scratch):
    array = file_array((1000, 7), np.float32, order="F")
    assert in_file(array)
    assert in_file(array[3:, 2])
    assert array.flags.f_contiguous
    assert not array.any()
    array[:] = np.arange(7000).reshape(1000, 7)
    release(array)
    np.testing.assert_array_equal(array, np.arange(7000).reshape(1000, 7))
    assert list(scratch.iterdir()) == []


def test_releasing_gives_the_memory_back(scratch):
    size = 64_000_000
    array = file_array((size,), np.uint8)
    before = mapped_kb()
    for _ in range(10):
        array[:] = 1
        if mapped_kb() - before > 0.9 * size / 1024:
            break  # else the system, which has little memory, took some of it already
    else:
        pytest.fail("the array's pages do not count as this process's memory")
    release(array)
    assert mapped_kb() - before < 0.1 * size / 1024
    assert array[::4096].all()


def test_an_array_in_memory_is_none_of_its_business(scratch):
    array = np.ones((3, 4))
    release(array)
    assert not in_file(array)
    empty = file_array((0, 5), np.float64)
    release(empty)
    assert empty.shape == (0, 5)


@pytest.mark.parametrize("spilled", [None, 0, 1, 3])
def test_pieces_stand_one_behind_another(scratch, spilled):
    random = np.random.default_rng(0)
    pieces = [random.normal(size=(rows, 3)) for rows in (5, 0, 17, 4)]
    growing = GrowingArray()
    for number, piece in enumerate(pieces):
        growing.append(piece)
        if number == spilled:
            growing.spill()
            assert growing.held == 0
    joined = growing.joined()
    assert in_file(joined) == (spilled is not None)
    assert joined.dtype == np.float64
    np.testing.assert_array_equal(joined, np.concatenate(pieces))


def test_a_single_piece_in_memory_is_not_copied(scratch):
    piece = np.arange(5)
    growing = GrowingArray()
    growing.append(piece)
    assert growing.joined() is piece


def test_pieces_without_a_row_make_an_array_without_a_row(scratch):
    growing = GrowingArray()
    growing.append(np.empty((0, 3)))
    growing.spill()
    assert growing.joined().shape == (0, 3)


def test_a_full_disk_is_an_error_with_a_way_out(scratch, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"800 MB do not fit .*No space left.*ALPHASEEKER_CACHE"):
        file_array((100_000_000,), np.float64)


def test_without_a_usable_cache_the_folder_of_temporary_files_serves(scratch, monkeypatch):
    monkeypatch.setattr(array_file, "why_unusable", lambda folder: "belongs to another user")
    assert in_file(file_array((3,), np.float64))
    assert not scratch.exists()


def test_more_files_than_the_soft_limit_allows_can_be_open(scratch):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 5, before[1]))
    try:
        arrays = [file_array((3,), np.float64) for _ in range(20)]
        assert all(in_file(array) for array in arrays)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_array_goes_where_another_one_stands(scratch):
    values = np.arange(12.0).reshape(4, 3)
    assert stored_like(values, np.zeros(2)) is values
    moved = stored_like(values, file_array((2,), np.int8))
    assert in_file(moved)
    np.testing.assert_array_equal(moved, values)
    assert stored_like(moved, moved) is moved


def test_what_was_freed_goes_back_to_the_system():
    # Many small pieces, which the C library would keep below one that is still in use.
    pieces = [np.ones(10_000, dtype=np.uint8) for _ in range(5_000)]
    held = memory_kb("RssAnon")
    last = pieces[-1]
    del pieces
    trim_memory()
    assert memory_kb("RssAnon") < held - 40_000
    assert last.all()
