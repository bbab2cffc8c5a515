"""Ctrl-C, SIGTERM and a kill at any stage: no half model, nothing left behind, and a word on it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from alphaseeker import cli
from alphaseeker.cli import main
from alphaseeker.model import library_cache

SETTINGS = ["--set", "num_boost_round=8", "--set", "windows=[1, 5]", "--set", "MATRIX_MEMORY_MB=0"]
OLD = b"an older model"

# Runs the command line, and sends this very process a signal when a stage has come so far.
PROGRAM = """
import os, sys
from contextlib import contextmanager
from alphaseeker import cli

stage, steps, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

@contextmanager
def progress(enabled):
    def advance(name, done, total):
        if (name, done) == (stage, steps):
            os.kill(os.getpid(), number)
    yield advance

cli.progress = progress
sys.argv[1:4] = []
cli.main()
"""


@pytest.fixture(autouse=True)
def interrupts():
    """Let Ctrl-C interrupt: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def data(market, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "market.parquet"
    market.head(6_000).to_parquet(path)
    return path


def interrupted(monkeypatch, stage, steps, number, arguments):
    """Run ``main`` until a stage has come so far, then send a signal; return the exit code."""

    @contextmanager
    def progress(enabled):
        def advance(name, done, total):
            if (name, done) == (stage, steps):
                os.kill(os.getpid(), number)

        yield advance

    monkeypatch.setattr(cli, "progress", progress)
    monkeypatch.setattr(sys, "argv", ["alphaseeker", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.parametrize(
    ("stage", "steps", "number", "where"),
    [
        ("read", 0, signal.SIGINT, "reading"),
        ("features", 0, signal.SIGTERM, "computing features"),
        ("select", 2, signal.SIGINT, "selecting features (step 2 of "),
        ("fit", 3, signal.SIGTERM, "fitting trees (round 3 of 40)"),
        ("evaluate", 0, signal.SIGINT, "evaluating"),
        ("factors", 5, signal.SIGINT, "grading factors (step 5 of "),
    ],
)
def test_an_interrupt_leaves_the_older_model_and_says_where_it_came(
    data, tmp_path, monkeypatch, capsys, stage, steps, number, where
):
    out = tmp_path / "m.joblib"
    out.write_bytes(OLD)
    before = signal.getsignal(signal.SIGTERM)
    arguments = ["train", data, "--out", out, *SETTINGS]
    assert interrupted(monkeypatch, stage, steps, number, arguments) == 128 + number
    message = capsys.readouterr().err
    assert f"interrupted while {where}" in message
    assert message.endswith(f"no model was written, {out} is as it was\n")
    assert out.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [out]
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_interrupt_after_the_model_was_saved_says_so(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "m.joblib"
    arguments = ["train", data, "--out", out, *SETTINGS]
    # The library of this model may stand in the cache from an earlier run of the tests.
    monkeypatch.setattr(library_cache, "library_folder", lambda: tmp_path)
    assert interrupted(monkeypatch, "generate", 0, signal.SIGINT, arguments) == 130
    assert capsys.readouterr().err.endswith(f"the model is whole in {out}\n")
    assert out.stat().st_size > 1_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_nothing_behind(data, tmp_path, number):
    out = tmp_path / "models" / "m.joblib"
    command = [sys.executable, "-c", PROGRAM, "fit", "2", str(int(number))]
    done = subprocess.run(
        [*command, "train", str(data), "--out", str(out), *SETTINGS],
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    if number == signal.SIGTERM:
        assert done.returncode == 143
        assert (
            "interrupted while fitting trees (round 2 of 40); no model was written" in done.stderr
        )
    else:
        assert done.returncode == -signal.SIGKILL
    assert not list(tmp_path.rglob("*"))
