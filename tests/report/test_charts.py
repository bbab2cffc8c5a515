import xml.etree.ElementTree as ElementTree

import pytest

from alphaseeker.report.charts import column_chart, histogram, meter, row_chart, sparkline

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text):
    """Parse a chart; return its bars (class, x, y, width, height) and its words."""
    root = ElementTree.fromstring(text)
    bars = [
        (bar.get("class"), *(float(bar.get(name)) for name in ("x", "y", "width", "height")))
        for bar in root.iter("rect")
    ]
    assert root.find("title").text
    return root, bars, [word.text for word in root.iter("text")]


def test_bars_of_a_sparkline_grow_from_the_middle():
    _, bars, _ = drawn(sparkline([0.5, None, -1.0, 0.0], title="a < b", width=40))
    assert [bar[0] for bar in bars] == ["up", "down", "up"]
    (_, x, top, _, tall), (_, other_x, other_top, _, other_tall), flat = bars
    assert (x, other_x) == (0.0, 20.0)
    assert top + tall == pytest.approx(13.0)
    assert other_top == pytest.approx(13.0)
    assert other_tall == pytest.approx(2.0 * tall)
    assert flat[4] < 1.0


def test_many_values_are_averaged():
    values = [0.1, 0.3] * 500
    _, bars, _ = drawn(sparkline([*values, None], title="many", width=100))
    assert len(bars) <= 50
    assert len({round(bar[4], 6) for bar in bars[:-1]}) <= 2
    _, pairs, _ = drawn(sparkline([0.1, 0.3, None, None, -0.2, None], title="pairs", width=6))
    assert [bar[0] for bar in pairs] == ["up", "down"]
    assert pairs[0][4] == pytest.approx(pairs[1][4])


@pytest.mark.parametrize("values", [[], [None, None], [0.0]])
def test_a_sparkline_of_nothing_is_an_axis(values):
    root, bars, _ = drawn(sparkline(values, title="nothing"))
    assert root.find("line") is not None
    assert all(bar[4] < 1.0 for bar in bars)


def test_a_meter_shows_what_was_taken_away():
    root, bars, _ = drawn(meter(25.0, 100.0, before=50.0, width=80))
    assert [(kind, width) for kind, _, _, width, _ in bars] == [
        ("rest", 80.0),
        ("mute", 40.0),
        ("bar", 20.0),
    ]
    assert root.find("title").text == "25.0 of 100, 50.0 before caps"
    _, full, _ = drawn(meter(300.0, 100.0, width=80))
    assert full[-1][3] == 80.0
    assert len(drawn(meter(0.0, 10.0))[1]) == 1


def test_columns_carry_their_numbers_and_errors():
    root, bars, words = drawn(
        column_chart(["10 s", "60 s"], [0.1, -0.05], errors=[0.02, None], title="decay")
    )
    (_, _, top, _, tall), (_, _, other_top, _, other_tall) = bars
    assert words == ["+0.100", "10 s", "\N{MINUS SIGN}0.050", "60 s"]
    assert top + tall == pytest.approx(other_top, abs=0.2)
    assert other_tall == pytest.approx(tall / 2, abs=0.1)
    assert 0.0 < top < other_top + other_tall < 140.0
    (whisker,) = [line for line in root.iter("line") if line.get("class") == "whisker"]
    middle = (float(whisker.get("y1")) + float(whisker.get("y2"))) / 2
    assert middle == pytest.approx(top, abs=0.2)
    assert float(whisker.get("y2")) - float(whisker.get("y1")) == pytest.approx(0.8 * tall, abs=0.2)


def test_rows_stand_against_a_rule():
    root, bars, words = drawn(
        row_chart(["a", "b" * 60], [2.0, -1.0], rule=1.0, rule_label="fee 1.00 bp", title="costs")
    )
    (_, x, _, width, _), (_, other_x, _, other_width, _) = bars
    assert other_x + other_width == pytest.approx(x, abs=0.1)
    assert width == pytest.approx(2 * other_width, rel=0.02)
    (rule,) = [line for line in root.iter("line") if line.get("class") == "rule"]
    assert float(rule.get("x1")) == pytest.approx(x + width / 2, abs=0.2)
    assert "fee 1.00 bp" in words
    assert max(len(word) for word in words) == 36


def test_a_histogram_has_the_level_of_chance():
    root, bars, words = drawn(histogram([4, 1, 0], title="p", expected=2.0, ends=("0", "1")))
    heights = [bar[4] for bar in bars]
    assert heights[0] == pytest.approx(4 * heights[1], abs=0.3)
    assert heights[2] == 0.0
    (rule,) = [line for line in root.iter("line") if line.get("class") == "rule"]
    base = bars[0][2] + bars[0][4]
    assert base - float(rule.get("y1")) == pytest.approx(heights[0] / 2, abs=0.2)
    assert words == ["by chance", "0", "1"]
    label = next(text for text in root.iter("text") if text.text == "by chance")
    assert float(label.get("x")) >= bars[-1][1] + bars[-1][3]  # beside the columns, not on them


def test_words_are_escaped():
    text = column_chart(["<b>"], [1.0], title='"&<')
    assert "&lt;b&gt;" in text
    assert drawn(text)[0].find("title").text == '"&<'
