"""The command line: what each verb prints, in words and as JSON, and its exit code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from alphaseeker import _jit
from alphaseeker.bench import start
from alphaseeker.cli import app, main
from alphaseeker.cli_options import config_of, select_of
from alphaseeker.features.matrix_store import MatrixStore
from alphaseeker.market.simulator import START_NS, simulate_frame
from alphaseeker.model import backends
from alphaseeker.model.artifact import load_artifact

SETTINGS = ["num_boost_round=8", "windows=[1, 5, 30, 60]", "FOLDS=2"]
SETTINGS = [word for setting in SETTINGS for word in ("--set", setting)]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def end(monkeypatch, *arguments):
    """Run ``main`` as the process does and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["alphaseeker", *[str(a) for a in arguments]])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.fixture(scope="module")
def data(market, tmp_path_factory):
    """The simulated market as a Parquet file."""
    path = tmp_path_factory.mktemp("data") / "market.parquet"
    market.to_parquet(path)
    return path


def test_every_verb_has_help():
    for name in app.commands:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.output
        assert "--json" in result.output


def test_the_package_itself_runs_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "alphaseeker", "train", "--help"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: python -m alphaseeker train [OPTIONS] DATA")
    wrong = subprocess.run(
        [sys.executable, "-m", "alphaseeker", "features", "--family", "tea"],
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 2
    assert "python -m alphaseeker features" in wrong.stderr


def test_train_and_evaluate(data, market, tmp_path):
    model = tmp_path / "m.joblib"
    result = run("train", data, "--out", model, *SETTINGS, "--set", "REFIT=false")
    assert result.exit_code == 0
    assert model.is_file()
    for word in (
        "verdict",
        "logistic",
        "last label",
        "class prior",
        "95 % interval",
        "by fold",
        "calibration (error",
        "importance, the first 10",
        "deflated",
    ):
        assert word in result.output
    judged = run("evaluate", model, data)
    assert "held-back rows only" in judged.output
    assert "by fold" not in judged.output
    trained = json.loads((tmp_path / "m.report.json").read_text())
    (*_, offline) = trained["results"]["evaluation_results"]["folds"]
    evaluated = json.loads(run("evaluate", model, data, "--json").output)
    for key in ("log_loss", "ic", "mcc", "n_rows", "confusion_matrix"):
        assert evaluated[key] == offline[key]
    total = tmp_path / "total.parquet"
    market.assign(volume=market["volume"].cumsum()).to_parquet(total)
    warned = run("evaluate", model, total).output
    assert "warning: volume rises and never falls" in warned
    assert "warning: volume" not in judged.output


def test_train_goes_on_from_a_model(trained, tmp_path):
    later = tmp_path / "later.parquet"
    frame = simulate_frame(8_000, seed=9, signal_strength=0.5, start_ns=START_NS + 10**14)
    frame.to_parquet(later)
    for mode in ("warm", "refit"):
        model = tmp_path / f"{mode}.joblib"
        result = run(
            "train", later, "--resume", trained[0], "--resume-mode", mode, "--out", model, *SETTINGS
        )
        assert result.exit_code == 0, result.output
        record = load_artifact(model).training["resumed_from"]
        assert record["mode"] == mode


def test_train_takes_names_auto_or_none(data, tmp_path, monkeypatch, capsys):
    model = tmp_path / "m.joblib"
    names = "book.imbalance, flow.ofi_5s"
    assert run("train", data, "--out", model, "--select", names, *SETTINGS).exit_code == 0
    assert load_artifact(model).feature_names == ("book.imbalance", "flow.ofi_5s")
    assert (select_of("none"), select_of("auto")) == (None, "auto")
    assert end(monkeypatch, "train", data, "--select", "autom") == 2
    assert "nearest" in capsys.readouterr().err


def test_a_resume_mode_without_a_model_is_wrong_use(data, monkeypatch, capsys):
    assert end(monkeypatch, "train", data, "--resume-mode", "refit") == 2
    assert "--resume-mode needs --resume" in capsys.readouterr().err


def test_evaluating_on_what_the_model_was_fitted_on_is_refused(trained, data, monkeypatch, capsys):
    assert end(monkeypatch, "evaluate", trained[0], data) == 1
    assert "REFIT = false" in capsys.readouterr().err


def test_train_prints_json(data, tmp_path):
    result = run("train", data, "--out", tmp_path / "m.joblib", "--json", *SETTINGS)
    assert json.loads(result.output)["success"] is True


def test_what_cannot_be_is_wrong_use_before_anything_runs(
    trained, data, tmp_path, monkeypatch, capsys
):
    for words, *arguments in (
        ("0 is not in the range x>=1", "evaluate-factors", data, "--most", 0),
        ("is a directory", "train", data, "--out", tmp_path),
        ("is a directory", "predict", trained[0], data, "--out", tmp_path),
        ("PRECISION is 'float64'", "train", data, "--set", "PRECISION=float64"),
    ):
        assert end(monkeypatch, *arguments) == 2
        assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_predict_writes_a_line_a_row(trained, data, market, tmp_path):
    out = tmp_path / "signals.jsonl"
    result = run("predict", trained[0], data, "--out", out)
    lines = out.read_text().splitlines()
    assert len(lines) == len(market)
    assert json.loads(lines[0])["filter_reason"] == "warming_up"
    assert "warming_up" in result.output


def test_evaluate_factors(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("evaluate-factors", data, "--most", 3)
    assert "book." in result.output
    assert (tmp_path / "reports" / "factors.json").is_file()
    assert (tmp_path / "reports" / "factors.html").is_file()
    assert str(Path("reports") / "factors.html") in result.output


def test_evaluate_columns_of_a_file(market, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bars = market[["timestamp", "close"]].assign(mine=[row % 17 for row in range(len(market))])
    bars.to_csv("bars.csv", index=False)
    result = run("evaluate-factors", "bars.csv", "--column", "mine", "--only-columns")
    assert "no quotes: returns of 'close'" in result.output
    assert "mine" in result.output
    assert "of 1 significant after Bonferroni" in result.output
    page = (tmp_path / "reports" / "factors.html").read_text(encoding="utf-8")
    assert "<h1>Factors</h1>" in page
    assert "no quotes: returns are those of" in page
    assert "warning" not in result.output
    assert end(monkeypatch, "evaluate-factors", "bars.csv", "--only-columns") == 2
    total = market.assign(volume=market["volume"].cumsum(), mine=bars["mine"])
    total.to_csv("total.csv", index=False)
    result = run("evaluate-factors", "total.csv", "--column", "mine", "--only-columns")
    assert "warning: volume rises and never falls" in result.output
    written = json.loads((tmp_path / "reports" / "factors.json").read_text(encoding="utf-8"))
    assert ["running total" in warning for warning in written["warnings"]] == [True]


def test_features():
    everything = json.loads(run("features", "--json").output)
    book = json.loads(run("features", "--family", "book", "--json").output)
    assert {row["family"] for row in book} == {"book"}
    assert len(everything) > len(book) > 5
    assert "Cont, Kukanov" in run("features", "--family", "flow").output


def test_doctor(data, market, tmp_path, monkeypatch, capsys):
    result = run("doctor", data)
    for word in ("rows", "span", "gaps", "duplicates", "crossed", "locked", "jumps"):
        assert word in result.output
    bad = market.head(100).copy()
    bad.loc[5:20, "close"] = -1.0
    path = tmp_path / "bad.csv"
    bad.to_csv(path, index=False)
    assert end(monkeypatch, "doctor", path) == 1
    assert "line 7" in capsys.readouterr().err


FEATURES = """
from alphaseeker import custom_feature, frame_feature

@custom_feature(unit="1")
def spread(state, tick, window_s):
    return tick.ask_price - tick.bid_price

@frame_feature(unit="1")
def ahead(frame):
    return frame["mid"].shift(-1) - frame["mid"]
"""


def test_doctor_looks_for_leaks(data, trained, market, tmp_path):
    quick = ["--set", "num_boost_round=5"]
    result = run("doctor", "--leaks", trained[0], data, *quick)
    assert result.exit_code == 0
    assert "rows" in result.output
    assert result.output.count("\nok   ") == 5
    for check in ("prefix invariance", "alignment", "hindsight", "unrelated labels", "reported"):
        assert check in result.output
    assert run("doctor", data, "--leaks", trained[0], *quick).output == result.output
    late = market.copy()
    late["close"] = late["close"].shift(-2).ffill()
    path = tmp_path / "late.parquet"
    late.to_parquet(path)
    result = run("doctor", path, "--leaks", trained[0], "--json", *quick)
    assert result.exit_code == 1
    found = [one for one in json.loads(result.output)["leaks"] if not one["passed"]]
    assert {one["check"] for one in found} >= {"alignment"}
    assert "close" in {one["figures"]["column"] for one in found}


def test_doctor_marks_what_it_could_not_judge(data, trained, monkeypatch):
    from alphaseeker.training import leaks
    from alphaseeker.training.leak_finding import Finding

    short = Finding(check="hindsight", passed=True, judged=False, sentence="not judged: too short")
    monkeypatch.setattr(leaks, "find_leaks", lambda *a, **k: [short])
    result = run("doctor", data, "--leaks", trained[0])
    assert result.exit_code == 0
    assert "\n--   hindsight: not judged" in result.output
    assert "\nok   " not in result.output


def test_doctor_takes_features_for_leaks_only(data, monkeypatch, capsys):
    assert end(monkeypatch, "doctor", data, "--custom", "x.py") == 2
    assert "--leaks MODEL" in capsys.readouterr().err


def test_doctor_checks_features_of_a_file(data, trained, tmp_path, monkeypatch, capsys):
    path = tmp_path / "own_features.py"
    path.write_text(FEATURES)
    arguments = ("doctor", data, "--leaks", trained[0], "--set", "num_boost_round=5", "--custom")
    assert end(monkeypatch, *arguments, path) == 1
    out = capsys.readouterr().out
    assert "LEAK prefix invariance: custom.ahead looks ahead" in out
    assert "custom.spread looks" not in out
    empty = tmp_path / "empty_features.py"
    empty.write_text("")
    assert end(monkeypatch, *arguments, empty) == 2
    assert "holds no feature" in capsys.readouterr().err
    assert end(monkeypatch, *arguments, "no_such_module_of_features") == 2
    assert "cannot be imported" in capsys.readouterr().err


def test_warmup_compiles(trained, monkeypatch):
    # Which predictor is the fastest may change from one call to the next.
    monkeypatch.setattr(backends, "time_in_turn", lambda predictor, rows: len(predictor.name))
    result = json.loads(run("warmup", trained[0], "--json").output)
    for key in ("compile_s", "load_s", "warm_import_s", "warm_ready_s"):
        assert result[key] > 0.0
    assert result["backend"] in run("warmup", trained[0]).output
    assert "kernels" in result["cache"]


def test_warmup_without_a_model():
    result = json.loads(run("warmup", "--json").output)
    assert result["compile_s"] > 0.0
    assert result["warm_ready_s"] > 0.0
    assert result["load_s"] is None
    assert "next start" in run("warmup").output


def test_warmup_clean_deletes_feature_matrices(monkeypatch, tmp_path):
    monkeypatch.setenv("ALPHASEEKER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(_jit, "clear_cache", lambda stale_only: 0)  # those of the tests' own
    monkeypatch.setattr(start, "time_start", lambda *_: {"import_s": 1.0, "ready_s": 1.0})
    MatrixStore(1e6).write("one", 1, [np.zeros((10, 1), dtype=np.float32)])
    assert json.loads(run("warmup", "--json").output)["matrices_removed"] == 0
    assert json.loads(run("warmup", "--clean", "--json").output)["matrices_removed"] == 1
    assert "deleted     0 feature matrices" in run("warmup", "--clean").output
    assert list((tmp_path / "matrices").iterdir()) == []


def test_warmup_where_no_process_can_be_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    result = run("warmup")
    assert result.exit_code == 0
    assert "next start  not known" in result.output
    assert json.loads(run("warmup", "--json").output)["warm_ready_s"] is None


def test_bench_prints_tables(trained):
    result = run("bench", "--model", trained[0], "--ticks", 100, "--set", "TARGET_LATENCY_MS=250")
    assert result.exit_code == 0
    for words in (
        "Session.update",
        "engine.predict(dict)",
        "lgb.Booster.predict",
        "single row fast",
        "tl2cgen.Predictor",
        "p99.9",
        "features",
        "decision",
        "budget   250 ms",
        "clock",
        "new process",
        "rows a second",
        "SIMULATED",
        trained[0].name,
    ):
        assert words in result.output


def test_bench_prints_json(trained):
    result = json.loads(run("bench", "--model", trained[0], "--ticks", 100, "--json").output)
    assert result["model"]["path"] == str(trained[0])
    assert result["calls"]["Session.update"]["count"] == result["ticks"] == 100
    assert result["start"]["ready_s"] > 0.0


def test_export_writes_what_it_says(trained, tmp_path):
    out = tmp_path / "out"
    result = run("export", trained[0], "--to", "lightgbm", "--out", out)
    assert result.output.split() == ["wrote", str(out / "model.txt")]
    assert (out / "model.txt").read_text().startswith("tree\n")


def test_export_prints_json(trained, tmp_path):
    result = run("export", trained[0], "--to", "lightgbm", "--out", tmp_path, "--json")
    assert json.loads(result.output) == {
        "to": "lightgbm",
        "folder": str(tmp_path),
        "files": ["model.txt"],
    }


def test_demo(tmp_path):
    result = run("demo", "--rows", 9_000, "--out", tmp_path / "demo")
    assert result.exit_code == 0
    assert "SIMULATED" in result.output
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["simulated"] is True
    for page in ("factors.html", "backtest.html"):
        assert (tmp_path / "demo" / page).read_text().lower().startswith("<!doctype html>")


def test_none_is_a_value_of_a_setting():
    found = config_of(None, ("KELLY_FRACTION=none", "MAX_CONSECUTIVE_LOSSES=None")).risk
    assert (found.KELLY_FRACTION, found.MAX_CONSECUTIVE_LOSSES) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "nowhere.csv"], 1, "nowhere.csv"),
        (["evaluate", "nowhere.joblib", "x.csv"], 1, "nowhere.joblib"),
        (["train"], 2, "DATA"),
        (["fly"], 2, "fly"),
        (["train", "x.csv", "--set", "num_leafs=3"], 2, "num_leaves"),
        (["train", "x.csv", "--set", "num_leaves"], 2, "KEY=VALUE"),
        (["train", "x.csv", "--set", "num_leaves=1"], 2, "num_leaves"),
        (["doctor", "x.csv", "--config", "none.toml"], 2, "none.toml"),
        (["bench", "--ticks", "0"], 2, "--ticks"),
        (["bench", "--model", "nowhere.joblib"], 1, "nowhere.joblib"),
        (["bench", "--set", "NUM_THREADS=no"], 2, "NUM_THREADS"),
        (["warmup", "nowhere.joblib"], 1, "nowhere.joblib"),
        (["export", "nowhere.joblib", "--to", "rust", "--out", "x"], 2, "rust"),
        (["export", "nowhere.joblib", "--to", "c"], 2, "--out"),
        (["export", "nowhere.joblib", "--to", "lightgbm", "--out", "x"], 1, "nowhere.joblib"),
    ],
)
def test_exit_codes_and_messages(arguments, code, words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert end(monkeypatch, *arguments) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_the_installed_command():
    command = Path(sys.executable).with_name("alphaseeker")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("alphaseeker, version")
    assert result.stderr == ""
