import pytest

from alphaseeker.factors.duration import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.25, "0.25 s"),
        (1, "1 s"),
        (60, "60 s"),
        (90.0, "90 s"),
        (300, "5 min"),
        (599.0, "599 s"),
        (600, "10 min"),
        (3_600, "1 h"),
        (12_000, "200 min"),
        (12_345, "206 min"),
        (86_399.0, "24 h"),
        (86_400, "1 day"),
        (129_600.0, "36 h"),
        (864_000, "10 days"),
        (94_521_600.0, "1,094 days"),
    ],
)
def test_words(seconds, words):
    assert duration(seconds) == words
