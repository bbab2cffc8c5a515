import numpy as np

from alphaseeker.features.matrix_file import allocate_values, release, value_bytes
from alphaseeker.market.array_file import in_file


def test_what_is_larger_than_the_limit_stands_in_a_file():
    assert value_bytes(100, 3) == 1200
    for limit, filed in ((None, False), (1200, False), (1199, True), (0, True)):
        values = allocate_values(100, 3, memory_limit=limit)
        assert in_file(values) == filed
        assert values.shape == (100, 3)
        assert values.dtype == np.float32
        assert values.flags.f_contiguous
        values[:] = 2.5
        release(values)
        assert (values == 2.5).all()
