"""CSV as found in the wild: read where it is unambiguous, else refused with line and column."""

import csv
import gzip
import io
import math
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaseeker.errors import DataError
from alphaseeker.market.csv_reader import read_csv_blocks
from alphaseeker.market.readers import iter_ticks, read_ticks

S = 1_721_749_184
NS = S * 1_000_000_000
HEADER = "timestamp,bid_price,ask_price,bid_volume,ask_volume,close,volume"
SIZES = (1, 2, 3, 1_000)


def row(i, *, close="100.5", time=None):
    return f"{S + i if time is None else time},100.0,101.0,1.5,2.5,{close},3.0"


def lines(count=6):
    return [HEADER, *(row(i) for i in range(count))]


def write(path, content):
    """Write lines, text or bytes."""
    if isinstance(content, list):
        content = "\n".join(content) + "\n"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, content, chunk_rows=1_000):
    (series,) = read_ticks(write(path, content), chunk_rows=chunk_rows)
    return series


def refusal(path, content):
    """Return the one message with which ``content`` is refused, in blocks of any size."""
    write(path, content)
    messages = set()
    for chunk_rows in SIZES:
        with pytest.raises(DataError) as caught:
            read_ticks(path, chunk_rows=chunk_rows)
        messages.add(str(caught.value))
    (message,) = messages
    return message


PLAIN = "\n".join(lines()) + "\n"
SAME = {
    "BOM": b"\xef\xbb\xbf" + PLAIN.encode(),
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "no line end at the end": PLAIN.rstrip("\n"),
    "CRLF, no line end at the end": PLAIN.rstrip("\n").replace("\n", "\r\n"),
    "header in capitals with spaces": PLAIN.replace(HEADER, HEADER.upper().replace(",", " , ")),
    "quoted header": PLAIN.replace(HEADER, ",".join(f'"{n}"' for n in HEADER.split(","))),
    "quoted cells": PLAIN.replace("100.5", '"100.5"'),
    "spaces around cells": PLAIN.replace(",", " , "),
    "extra columns": PLAIN.replace("\n", ",x\n"),
    "surplus comma on every line": PLAIN.replace("\n", ",\n"),
    "gzip": gzip.compress(PLAIN.encode()),
    "another number format": PLAIN.replace("100.0", "+1e2").replace("2.5", "0002.50"),
    "milliseconds": re.sub(r"(?m)^(\d{10}),", r"\g<1>000,", PLAIN),
    "decimal seconds": re.sub(r"(?m)^(\d{10}),", r"\1.000,", PLAIN),
    "one decimal among whole seconds": PLAIN.replace(f"{S + 3},", f"{S + 3}.0,"),
    "ISO with a zone": re.sub(
        r"(?m)^17217491(\d\d),", lambda m: f"2024-07-23T17:39:{int(m[1]) - 40}+02:00,", PLAIN
    ),
}


@pytest.mark.parametrize("chunk_rows", SIZES)
@pytest.mark.parametrize("name", SAME)
def test_the_same_ticks_in_another_dress_are_read_alike(name, chunk_rows, tmp_path):
    expected = read(tmp_path / "plain.csv", PLAIN)
    series = read(tmp_path / "dressed.csv", SAME[name], chunk_rows)
    assert series.ticks.tobytes() == expected.ticks.tobytes()
    assert series.rows.tolist() == expected.rows.tolist() == [2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(series.ticks["timestamp"], NS + np.arange(6) * 10**9)


@pytest.mark.parametrize("chunk_rows", SIZES)
def test_blank_lines_and_quoted_line_ends_keep_the_line_numbers_true(chunk_rows, tmp_path):
    content = [
        "",
        f"{HEADER},note",
        f"{row(0)},a",
        "",
        f'{row(1)},"two',
        'lines, ""quoted"""',
        "   ",
        f"{row(2)},c",
        f'{row(3)},"',
        "",
        '"',
        f"{row(4)},e",
    ]
    series = read(tmp_path / "t.csv", content, chunk_rows)
    assert series.rows.tolist() == [3, 5, 8, 9, 12]
    np.testing.assert_array_equal(series.ticks["timestamp"], NS + np.arange(5) * 10**9)


@pytest.mark.parametrize("chunk_rows", SIZES)
def test_thousands_separators_are_read_where_nothing_else_is_meant(chunk_rows, tmp_path):
    cells = ['"1,234.5"', '"-12,345,678"', '"1,234,567.25"', "7.5", '"999,999."']
    content = [HEADER, *(row(i, close=cell) for i, cell in enumerate(cells))]
    series = read(tmp_path / "t.csv", content, chunk_rows)
    assert series.ticks["close"].tolist() == [1234.5, -12345678.0, 1234567.25, 7.5, 999999.0]


@pytest.mark.parametrize("chunk_rows", SIZES)
def test_a_numeric_cell_that_holds_no_number_is_nan(chunk_rows, tmp_path):
    cells = ["", "n/a", "lunch", "1_000", "0x10", "1.2.3", " ", "12%", "2.5"]
    content = [HEADER, *(row(i, close=cell) for i, cell in enumerate(cells))]
    series = read(tmp_path / "t.csv", content, chunk_rows)
    np.testing.assert_array_equal(series.ticks["close"], [math.nan] * 8 + [2.5])
    assert series.rows.tolist() == list(range(2, 11))
    # The rest of such a row is intact, for the quality gate to judge.
    assert (series.ticks["volume"] == 3.0).all()


@pytest.mark.parametrize("chunk_rows", SIZES)
def test_infinity_and_overflow_are_left_to_the_gate(chunk_rows, tmp_path):
    content = [HEADER, row(0, close="inf"), row(1, close="-inf"), row(2, close="1e999")]
    series = read(tmp_path / "t.csv", content, chunk_rows)
    assert series.ticks["close"].tolist() == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize("chunk_rows", SIZES)
@pytest.mark.parametrize("cell", ["", "null", "0", "-1", "99999999999999999999"])
def test_a_missing_or_impossible_time_stamp_is_zero(cell, chunk_rows, tmp_path):
    content = [HEADER, row(0), row(1, time=cell), row(2)]
    series = read(tmp_path / "t.csv", content, chunk_rows)
    assert series.ticks["timestamp"].tolist() == [NS, 0, NS + 2 * 10**9]


@pytest.mark.parametrize("chunk_rows", SIZES)
def test_a_first_time_stamp_may_be_missing(chunk_rows, tmp_path):
    series = read(tmp_path / "t.csv", [HEADER, row(0, time=""), row(1)], chunk_rows)
    assert series.ticks["timestamp"].tolist() == [0, NS + 10**9]


def edited(line, old, new):
    """Return the plain file with one line (counted from 1) changed."""
    content = lines()
    assert old in content[line - 1]
    content[line - 1] = content[line - 1].replace(old, new)
    return content


LATIN = PLAIN.replace(HEADER, f"{HEADER},note").replace("3.0\n", "3.0,x\n").encode()
LATIN = LATIN.replace(b",x\n", b",caf\xe9\n")

REFUSED = {
    "empty": ("", ["t.csv: the file is empty"]),
    "only blank lines": ("\n\r\n\n", ["t.csv: the file is empty"]),
    "header only": (HEADER, ["t.csv: the file has a header and no rows"]),
    "header and blank lines": (HEADER + "\n\n\n", ["the file has a header and no rows"]),
    "wrong header": (
        PLAIN.replace("bid_price,ask_price", "bid_prize,price"),
        [
            "missing columns: 'bid_price' (nearest: 'bid_prize')",
            "'ask_price'",
            "found: 'timestamp', 'bid_prize', 'price', 'bid_volume'",
        ],
    ),
    "no timestamp column": (
        PLAIN.replace("timestamp", "time"),
        ["missing columns: 'timestamp' (nearest: 'time')"],
    ),
    "no header": ("\n".join(lines()[1:]), ["missing columns: 'timestamp'", f"found: '{S}'"]),
    "semicolons": (
        PLAIN.replace(",", ";"),
        ["missing columns", "separated by ';'", "separated by commas"],
    ),
    "tabs": (PLAIN.replace(",", "\t"), [r"separated by '\t'"]),
    "a column twice": (
        PLAIN.replace("close", " Volume"),
        ["' Volume' and 'volume' are both 'volume'"],
    ),
    "half a level": (
        PLAIN.replace("close,volume", "close,volume,bid_price_1,bid_volume_1,ask_price_1"),
        ["depth reaches level 1 but is incomplete", "missing columns: 'ask_volume_1'"],
    ),
    "short row": (
        edited(4, ",100.5,3.0", ",100.5"),
        ["t.csv, line 4, column 'volume'", "has 6 cells, the header has 7", "100.5'"],
    ),
    "long row": (
        edited(5, "3.0", "3.0,9"),
        ["t.csv, line 5, column 'volume'", "has 8 cells, the header has 7"],
    ),
    "cut short": (PLAIN[:-12], ["t.csv, line 7, column 'close'", "has 5 cells"]),
    "unquoted thousands": (edited(3, "100.5", "1,234.5"), ["t.csv, line 3", "has 8 cells"]),
    "ambiguous comma": (
        edited(3, "100.5", '"1,234"'),
        ["t.csv, line 3, column 'close': '1,234' may mean thousands or decimals"],
    ),
    "decimal comma": (edited(6, "100.5", '"100,5"'), ["line 6, column 'close': '100,5'"]),
    "European number": (edited(6, "100.5", '"1.234,5"'), ["line 6, column 'close': '1.234,5'"]),
    "mixed units": (
        edited(4, f"{S + 2}", f"{S + 2}000"),
        ["t.csv, line 4, column 'timestamp'", "in milliseconds", "in seconds"],
    ),
    "mixed date formats": (
        [HEADER, row(0, time="2024-07-23 15:39:44"), row(1, time="23/07/2024 15:39")],
        ["t.csv, line 3, column 'timestamp'", "'23/07/2024 15:39'", "not ISO 8601"],
    ),
    "unknown date format": (
        [HEADER, row(0, time="07/23/2024")],
        ["t.csv, line 2, column 'timestamp'", "'07/23/2024'", "give seconds"],
    ),
    "naive and aware": (
        [HEADER, row(0, time="2024-07-23 15:39:44"), row(1, time="2024-07-23 15:39:45Z")],
        ["t.csv, line 3, column 'timestamp'", "a date with a zone", "a date without a zone"],
    ),
    "dates, then numbers": (
        [HEADER, row(0, time="2024-07-23 15:39:44"), row(1)],
        ["t.csv, line 3, column 'timestamp'", "in seconds", "a date without a zone"],
    ),
    "text for a time": (
        edited(5, f"{S + 3}", "lunch"),
        ["t.csv, line 5, column 'timestamp'", "'lunch'"],
    ),
    "no unit": (
        [HEADER, row(0, time="1"), row(1, time="2")],
        ["t.csv, line 2, column 'timestamp': ", "fits no unit, nor does any other cell"],
    ),
    "not UTF-8": (LATIN, ["t.csv, line 2: cell 8 holds the byte 0xe9, which is not UTF-8"]),
    "UTF-16": (PLAIN.encode("utf-16"), ["t.csv, line 1: cell 1 holds the byte 0xff"]),
    "open quote": (
        edited(5, "100.5", '"100.5'),
        ["t.csv, line 5: a quote is opened and never closed"],
    ),
    "lone carriage returns": (PLAIN.replace("\n", "\r"), ["t.csv, line 1: the line is not CSV"]),
    "a lone carriage return": (
        edited(4, "100.5", "100.5\r"),
        ["t.csv, line 4: the line is not CSV"],
    ),
    "an empty symbol": (
        [f"{HEADER},symbol", f"{row(0)},A", f"{row(1)}, "],
        ["t.csv, line 3, column 'symbol': the cell is empty"],
    ),
    "an empty session": (
        [f"{HEADER},Session", f"{row(0)},A", f"{row(1)},"],
        ["t.csv, line 3, column 'Session': the cell is empty"],
    ),
    "cut gzip": (
        gzip.compress(PLAIN.encode())[:-20],
        ["t.csv: the compressed data is damaged", "fetch the file again"],
    ),
    "gzip with a flipped byte": (
        gzip.compress(PLAIN.encode())[:-8] + b"\0" * 8,
        ["t.csv: the compressed data is damaged"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_without_guessing_is_refused(name, tmp_path):
    content, words = REFUSED[name]
    message = refusal(tmp_path / "t.csv", content)
    for word in words:
        assert word in message


def test_a_fault_deep_in_a_file_has_its_line(tmp_path):
    content = [HEADER, *(row(i) for i in range(5_000))]
    content[4_320] = content[4_320].replace(",3.0", "")
    write(tmp_path / "t.csv", content)
    with pytest.raises(DataError, match="line 4321, column 'volume'"):
        read_ticks(tmp_path / "t.csv", chunk_rows=300)


def test_pieces_before_a_fault_are_given(tmp_path):
    content = [HEADER, *(row(i) for i in range(5_000)), "cut"]
    pieces = iter_ticks(write(tmp_path / "t.csv", content), chunk_rows=100)
    pieces_read = []
    with pytest.raises(DataError, match="line 5002"):
        pieces_read.extend(pieces)
    assert sum(len(piece) for piece in pieces_read) > 4_000


def test_a_file_without_lines_is_refused_in_bounded_memory(tmp_path):
    path = write(tmp_path / "t.csv", b"x" * (4 << 20))
    with pytest.raises(DataError, match=r"line 1: the line is longer than 1,048,576 bytes"):
        read_ticks(path, chunk_rows=100)


def test_an_open_quote_is_refused_before_the_end_of_a_large_file(tmp_path):
    head = "\n".join(lines()) + "\n" + row(6, close='"1') + "\n"
    path = write(tmp_path / "t.csv", head.encode() + (row(7) + "\n").encode() * 60_000)
    with pytest.raises(DataError, match="line 8: a quote is opened and never closed"):
        read_ticks(path, chunk_rows=100)


def test_the_careful_way_reads_what_the_fast_way_reads(tmp_path):
    rng = np.random.default_rng(3)
    content = [f"{HEADER},session,symbol"]
    for i in range(200):
        cells = [repr(x) for x in rng.lognormal(0, 20, 6)]
        content.append(f"{S + i}.{i:06d}," + ",".join(cells) + f",s{i // 100},ABC")
    fast = read(tmp_path / "fast.csv", content)
    # One blank line at the end: lines and rows no longer match, so every cell is read by itself.
    slow = read(tmp_path / "slow.csv", [*content, ""])
    assert slow.ticks.tobytes() == fast.ticks.tobytes()
    assert slow.rows.tolist() == fast.rows.tolist()


def test_blocks_carry_the_labels_as_text(tmp_path):
    content = [f"{HEADER},session", f"{row(0)}, 007 ", f"{row(1)},NA"]
    path = write(tmp_path / "t.csv", content)
    (block,) = read_csv_blocks(path, price_col="close", chunk_rows=10)
    assert block.labels["session"].to_pylist() == ["007", "NA"]
    assert block.levels == 0


def test_a_clean_file_is_never_read_cell_by_cell(tmp_path, monkeypatch):
    def fail(*arguments):
        raise AssertionError("the careful way was taken")

    monkeypatch.setattr("alphaseeker.market.csv_reader._Table._parse_cells", fail)
    for name, content in SAME.items():
        assert len(read(tmp_path / "t.csv", content)) == 6, name


CELL = st.text(alphabet="0123456789.,+-einaf x_\"'\n", max_size=8) | st.floats().map(repr)


@settings(deadline=None, max_examples=150)
@given(st.lists(CELL, min_size=1, max_size=8))
def test_any_cell_is_read_alike_fast_and_carefully_in_blocks_of_any_size(cells):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for i, cell in enumerate(cells):
        writer.writerow([S + i, 100.0, 101.0, 1.5, 2.5, cell, 3.0])
    outcomes = set()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        for content in (text.getvalue(), text.getvalue() + "\n"):
            path.write_text(f"{HEADER}\n{content}")
            for chunk_rows in (1, 3, 1_000):
                try:
                    (series,) = read_ticks(path, chunk_rows=chunk_rows)
                except DataError as error:
                    outcomes.add(str(error))
                else:
                    close = np.nan_to_num(series.ticks["close"], nan=-1.25)
                    outcomes.add((tuple(close), tuple(series.rows)))
    assert len(outcomes) == 1
