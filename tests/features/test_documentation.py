"""The tables of the catalogue, and the page in ``docs`` that is generated from them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from alphaseeker.cli import app
from alphaseeker.features.catalogue import FAMILIES, FEATURES, SIGNALS
from alphaseeker.features.documentation import features_table, render_catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"


def test_the_page_in_docs_is_the_catalogue():
    assert PAGE.read_text(encoding="utf-8") == render_catalogue(), (
        "docs/features.md is stale: write render_catalogue() to it"
    )


def test_the_page_counts_the_columns_by_what_they_need():
    text = render_catalogue()
    assert "261 columns in 11 families: 213 from the seven required inputs" in text
    assert "29 more where the data has depth" in text
    assert "19 more where it has `buy_volume`" in text


def cells_of(line):
    return [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]


def test_the_page_names_every_family_and_signal():
    text = render_catalogue()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Notation",
        *FAMILIES,
    ]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(SIGNALS)
    for signal, row in zip(SIGNALS, rows, strict=True):
        cells = cells_of(row)
        assert cells[0] == f"`{signal.name}`"
        assert cells[1] == (", ".join(map(str, signal.windows)) or "-")
        assert cells[2] == signal.unit
        assert cells[-2] == signal.formula.replace("|", "")
        assert cells[-1] == (signal.source or "-")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_says_what_it_needs_where_it_needs_more(family):
    section = render_catalogue().partition(f"\n## {family}\n")[2].partition("\n## ")[0]
    table = [cells_of(line) for line in section.splitlines() if line.startswith("|")]
    assert len({len(row) for row in table}) == 1
    headings, rows = table[0], table[2:]
    assert ("needs" in headings) == (family in ("trades", "liquidity", "depth", "aggressor"))
    if "needs" not in headings:
        return
    needs = {row[0].strip("`"): row[headings.index("needs")] for row in rows}
    for signal in SIGNALS:
        if signal.family == family:
            expected = {
                (): "-",
                ("sign",): "sign",
                ("depth",): f"{signal.levels} levels",
                ("aggressor",): "aggressor's side",
            }[signal.inputs]
            assert needs[signal.name] == expected


@pytest.mark.parametrize(
    ("signal", "history"),
    [
        ("spread", "none"),
        ("quote_rate_ratio", "300 s"),
        ("ofi", "w"),
        ("autocorr", "w + 1"),
        ("ewma", "12"),
        ("macd", "1620 s"),
        ("range", "2 w"),
        ("vpin", "w + 60 s"),
    ],
)
def test_the_page_says_how_much_history_a_signal_needs(signal, history):
    rows = [line for line in render_catalogue().splitlines() if line.startswith(f"| `{signal}` ")]
    assert [cells_of(row)[3] for row in rows] == [history]


def test_the_table_is_plain_and_complete():
    table = features_table()
    assert json.loads(json.dumps(table)) == table
    assert [row["name"] for row in table] == [feature.name for feature in FEATURES]
    assert [row["history_s"] for row in table] == [feature.history_s for feature in FEATURES]
    row = features_table(["flow.ofi_60s"])[0]
    assert (row["family"], row["unit"], row["window_s"], row["history_s"]) == ("flow", "1", 60, 60)
    assert (row["inputs"], row["levels"]) == ([], 0)
    assert row["source"].startswith("Cont")
    row = features_table(["depth.ofi_level3_30s"])[0]
    assert (row["signal"], row["inputs"], row["levels"]) == ("ofi_level3", ["depth"], 3)
    assert features_table(["trades.signed_ratio_30s"])[0]["inputs"] == ["sign"]


def shown(*arguments):
    result = CliRunner().invoke(app, ["features", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_command_line_prints_the_catalogue():
    assert json.loads(shown("--json")) == features_table()
    bars = json.loads(shown("--family", "bars", "--json"))
    assert bars == [row for row in features_table() if row["family"] == "bars"]
    assert len(bars) == 30
    assert shown("--markdown") == render_catalogue()


def test_the_command_line_shows_what_a_column_needs():
    text = shown("--family", "depth")
    assert "29 features" in text
    assert "depth (3 levels)" in " ".join(text.replace("│", " ").split())
    assert "depth." in text
    assert "bars." not in text
