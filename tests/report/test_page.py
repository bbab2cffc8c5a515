import pytest

from alphaseeker.report.page import DASH, MINUS, document, number, p_value, signed, table, tile


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.234, "1.23"),
        (-1.0, f"{MINUS}1.00"),
        (3, "3.00"),
        (None, DASH),
        (True, DASH),
        ("1", DASH),
        (float("nan"), DASH),
        (float("-inf"), DASH),
    ],
)
def test_numbers_as_text(value, words):
    assert number(value) == words


def test_signs_have_colours():
    assert signed(-0.5) == f'<span class="down">{MINUS}0.500</span>'
    assert signed(0.5) == '<span class="up">+0.500</span>'
    assert signed(None) == DASH


@pytest.mark.parametrize(
    ("value", "words"), [(0.034, "0.034"), (1.2e-7, f"1.2e{MINUS}7"), (3e-12, f"3e{MINUS}12")]
)
def test_p_values(value, words):
    assert p_value(value) == words


def test_a_page_is_whole_and_fetches_nothing():
    page = document("a < b", "<p>text</p>")
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>a &lt; b</title>" in page
    assert "prefers-color-scheme: dark" in page
    for word in ("http", "<script", "@import", "url(", "<link"):
        assert word not in page


def test_a_table_names_rows_and_columns():
    text = table(["who", "x"], [["a", "1"], ["b", "2"]], left=(1,))
    assert '<th scope="col" class=l>x</th>' in text
    assert '<tr><th scope="row">a</th><td class=l>1</td></tr>' in text
    assert tile("<1", "few & more").count("&") == 2
