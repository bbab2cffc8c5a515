"""Where the windows of the catalogue stand among the lanes."""

import os
import subprocess
import sys
import textwrap

import numba
import numpy as np
import pytest

from alphaseeker.features.catalogue import WINDOWS
from alphaseeker.features.groups import STACKS, SUMS
from alphaseeker.features.output import SMALLEST, as_output
from alphaseeker.features.window_lanes import lane_of, reader, writer
from alphaseeker.kernels.lanes import WIDE

MARK = 12_345.678


def test_every_window_has_a_lane_of_its_own_in_rising_order():
    lanes = [lane_of(window) for window in sorted(WINDOWS)]
    assert lanes == list(range(len(WINDOWS)))
    assert len(lanes) <= WIDE


def test_a_window_stands_in_the_same_lane_whatever_the_group():
    for group in (SUMS | STACKS).values():
        assert group.lanes == [WINDOWS.index(window) for window in group.windows]
        assert group.lanes == sorted(group.lanes)


@pytest.mark.parametrize("window", [0, 7, 100_000])
def test_a_window_that_the_catalogue_does_not_have_has_no_lane(window):
    with pytest.raises(ValueError, match="not in tuple"):
        lane_of(window)


@pytest.mark.parametrize(
    "windows", [WINDOWS, WINDOWS[1:], WINDOWS[:1], WINDOWS[1::2], WINDOWS[-1:]]
)
def test_what_is_read_by_window_is_written_by_window(windows):
    read, write = reader(windows), writer(windows)

    @numba.njit
    def passed_on(matrix, column, field):
        write(field, read(matrix, column))

    matrix = np.full((WIDE, 3), np.nan)
    lanes = [lane_of(window) for window in windows]
    matrix[lanes, 1] = windows
    out = np.full(len(windows) + 2, MARK)
    passed_on(matrix, 1, out[1:-1])
    assert out.tolist() == [MARK, *windows, MARK]


def test_lanes_are_written_as_numbers_are():
    """What is flushed to zero stands in two places: the kernels know nothing of the features."""
    edge = np.nextafter(SMALLEST, 1.0)
    values = np.array([SMALLEST, -SMALLEST, edge, -edge, -0.0, np.nan, 1 / 3, -np.inf])
    read, write = reader(WINDOWS), writer(WINDOWS)

    @numba.njit
    def written(matrix, field):
        write(field, read(matrix, 0))

    matrix = np.full((WIDE, 1), np.nan)
    field = np.empty(len(WINDOWS), dtype=np.float32)
    for turned in range(WIDE):
        matrix[:, 0] = np.roll(values, turned)
        written(matrix, field)
        one_by_one = [as_output(value) for value in matrix[: len(WINDOWS), 0]]
        assert field.tobytes() == np.array(one_by_one, dtype=np.float32).tobytes()


MORE_WINDOWS = """
from alphaseeker.features import catalogue
catalogue.WINDOWS = tuple(range(1, {count} + 1))
from alphaseeker.features import window_lanes
print(window_lanes.lane_of({count}))
"""


def import_with(count):
    return subprocess.run(
        [sys.executable, "-c", MORE_WINDOWS.format(count=count)],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_as_many_windows_as_lanes_are_not_too_many():
    assert import_with(WIDE).stdout.strip() == str(WIDE - 1), "the last lane"


def test_more_windows_than_lanes_cannot_be_imported():
    done = import_with(WIDE + 1)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: the catalogue has 9 windows, and there are lanes for 8: ")


def test_no_lane_leaves_its_array():
    """The step of every column, compiled with bounds checked, over several numbers of levels."""
    code = """
        from numba.core import config
        from alphaseeker.config import Config
        from alphaseeker.features.batch import compute_features
        from alphaseeker.features.settings import fit_settings
        from alphaseeker.market.simulator import simulate
        assert config.BOUNDSCHECK
        for levels in (2, 3, 5, 7, 8, 10):
            series = simulate(600, seed=5, depth_levels=levels)
            settings = fit_settings([series], Config())
            print(settings.depth_levels, compute_features(series, settings=settings).values.shape)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "10 (600, 261)"
