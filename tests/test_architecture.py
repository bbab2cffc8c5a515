"""The house rules: what may import what, what a module shows, and where its tests stand."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import alphaseeker
from alphaseeker import _jit

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "alphaseeker"
TESTS = ROOT / "tests"
MAX_LINES = 400

# Imports go strictly from a higher layer to a lower one; inside one package they are free.
LAYERS = {
    "errors": 0,
    "config": 0,
    "_address": 0,
    "_jit": 0,
    "_logging": 0,
    "kernels": 1,
    "market": 2,
    "features": 3,
    "risk": 3,
    "model": 4,
    "factors": 4,
    "training": 5,
    "inference": 5,
    "report": 6,
    "backtest": 6,
    "distributed": 6,
    "engine": 7,
    "bench": 8,
    "cli": 8,
    "cli_backtest": 8,
    "cli_interrupt": 8,
    "cli_options": 8,
    "cli_serving": 8,
    "console": 8,
    "console_backtest": 8,
    "demo": 8,
    "__main__": 9,
    "": 9,  # the package itself: public names only
}
# Modules of one layer that stand alone in the package's folder and are one part all the same.
SIDEWAYS = {
    ("config", "errors"),
    ("_logging", "errors"),
    ("cli", "cli_backtest"),
    ("cli", "cli_interrupt"),
    ("cli", "cli_options"),
    ("cli", "cli_serving"),
    ("cli", "console"),
    ("cli", "console_backtest"),
    ("cli", "demo"),
    ("cli_backtest", "cli_options"),
    ("cli_backtest", "console"),
    ("cli_backtest", "console_backtest"),
    ("cli_interrupt", "console"),
    ("console_backtest", "console"),
    ("cli_serving", "bench"),
    ("cli_serving", "cli_options"),
    ("cli_serving", "console"),
}
PUBLIC = [
    "AlphaSeekerMLEngine",
    "create_ml_engine",
    "custom_feature",
    "frame_feature",
    "CombinatorialPurged",
    "PurgedWalkForward",
    "AlphaSeekerError",
    "ConfigError",
    "DataError",
    "ModelError",
    "StateError",
    "__version__",
]
# Modules whose tests stand in a file of another name, because a user sees them at work there.
TESTED_IN = {
    # The loop's records and parts are seen at work in what it trades.
    "backtest/equity_log.py": "backtest/test_loop.py",
    "backtest/market.py": "backtest/test_run.py",
    "backtest/metrics.py": "backtest/test_result.py",
    "backtest/orders.py": "backtest/test_loop.py",
    "backtest/provenance.py": "backtest/test_run.py",
    "backtest/replay.py": "backtest/test_loop.py",
    "backtest/signals.py": "backtest/test_run.py",
    "backtest/state.py": "backtest/test_loop.py",
    "backtest/trades.py": "backtest/test_result.py",
    "backtest/trading.py": "backtest/test_loop.py",
    # The parts of one measurement.
    "bench/peers.py": "test_bench.py",
    "bench/reference.py": "test_bench.py",
    "bench/run.py": "test_bench.py",
    "bench/start.py": "test_bench.py",
    "bench/streams.py": "test_bench.py",
    "bench/timing.py": "test_bench.py",
    "config/checks.py": "test_config.py",
    "config/loading.py": "test_config.py",
    "config/sections.py": "test_config.py",
    "model/adaptive_labels.py": "model/test_adaptive.py",
    # What a terminal shows is tested by running the verbs.
    "__main__.py": "test_cli.py",
    "cli_backtest.py": "backtest/test_cli.py",
    "cli_options.py": "test_cli.py",
    "console_backtest.py": "backtest/test_cli.py",
    "cli_serving.py": "test_cli.py",
    "demo.py": "test_cli.py",
    # Families write into one record: every column is compared with its formula at once.
    "features/buckets.py": "features/test_oracle.py",
    "features/elapsed.py": "features/test_oracle.py",
    "features/output.py": "features/test_oracle.py",
    "features/write.py": "features/test_oracle.py",
    "features/families/aggressor.py": "features/test_oracle.py",
    "features/families/bars.py": "features/test_oracle.py",
    "features/families/book.py": "features/test_oracle.py",
    "features/families/calendar.py": "features/test_oracle.py",
    "features/families/depth.py": "features/test_oracle.py",
    "features/families/dynamics.py": "features/test_oracle.py",
    "features/families/flow.py": "features/test_oracle.py",
    "features/families/liquidity.py": "features/test_oracle.py",
    "features/families/momentum.py": "features/test_oracle.py",
    "features/families/trades.py": "features/test_oracle.py",
    "features/families/volatility.py": "features/test_oracle.py",
    # What a family declares is what its columns are held to.
    "features/declared/aggressor.py": "features/test_contract.py",
    "features/declared/bars.py": "features/test_contract.py",
    "features/declared/book.py": "features/test_contract.py",
    "features/declared/calendar.py": "features/test_contract.py",
    "features/declared/depth.py": "features/test_contract.py",
    "features/declared/dynamics.py": "features/test_contract.py",
    "features/declared/flow.py": "features/test_contract.py",
    "features/declared/liquidity.py": "features/test_contract.py",
    "features/declared/momentum.py": "features/test_contract.py",
    "features/declared/trades.py": "features/test_contract.py",
    "features/declared/volatility.py": "features/test_contract.py",
    "features/groups.py": "features/test_layout.py",
    "features/block.py": "features/test_batch.py",
    "features/containers.py": "features/test_feature_engineer.py",
    "features/custom_runner.py": "features/test_custom.py",
    "features/custom_step.py": "features/test_custom.py",
    "features/declaration.py": "features/test_catalogue.py",
    "features/registry.py": "test_custom_features.py",
    "features/snapshot.py": "features/test_stream.py",
    # The parts of a live prediction and of its answers.
    "inference/answers.py": "test_public_api.py",
    "inference/health.py": "test_public_api.py",
    "inference/monitoring.py": "test_public_api.py",
    "inference/signal.py": "inference/test_judgement.py",
    "inference/statistics.py": "test_public_api.py",
    # The parts of a session are seen at work in its signals.
    "inference/realised.py": "inference/test_following.py",
    "inference/session_calls.py": "inference/test_session.py",
    "inference/session_memory.py": "inference/test_session.py",
    "inference/session_snapshot.py": "inference/test_session.py",
    "inference/session_state.py": "inference/test_session.py",
    "inference/session_step.py": "inference/test_jitted_step.py",
    "features/allocation.py": "features/test_layout.py",
    "inference/tick_input.py": "inference/test_live.py",
    # The parts of the readers: seen from the source that needs them.
    "market/assembly.py": "market/test_readers.py",
    "market/conversion.py": "market/test_frames.py",
    "market/layout.py": "market/test_readers.py",
    "market/number_text.py": "market/test_csv_reader.py",
    "market/origin.py": "market/test_csv_reader.py",
    "market/parquet_reader.py": "market/test_frames.py",
    "market/records.py": "market/test_csv_reader.py",
    "market/schema.py": "market/test_readers.py",
    "market/sources.py": "market/test_readers.py",
    "market/simulated_depth.py": "market/test_simulator.py",
    "market/simulated_quotes.py": "market/test_simulator.py",
    "model/buffered_predictor.py": "model/test_every_predictor.py",
    "model/predictor.py": "model/test_backends.py",
    # The parts of the risk manager's calls.
    "risk/account_state.py": "risk/test_manager.py",
    "risk/codes.py": "risk/test_report.py",
    "risk/entries.py": "risk/test_entries_and_exits.py",
    "risk/inputs.py": "risk/test_manager.py",
    "risk/journal_files.py": "risk/test_journal.py",
    "risk/journal_frames.py": "risk/test_journal.py",
    "risk/journal_reading.py": "risk/test_journal.py",
    "risk/memory.py": "risk/test_journal.py",
    "risk/metrics.py": "risk/test_manager.py",
    "risk/reconciliation.py": "risk/test_manager.py",
    "risk/refusals.py": "risk/test_step.py",
    "risk/state.py": "risk/test_account.py",
    "risk/venue_calls.py": "risk/test_manager.py",
    # What the facade and the command line answer.
    "training/judged.py": "training/test_run.py",
    "factors/rank_correlation.py": "factors/test_blocks.py",
    "factors/profile.py": "factors/test_figures.py",
    "factors/column.py": "factors/test_columns.py",
    "training/factor_run.py": "factors/test_columns.py",
    "factors/graded_horizon.py": "factors/test_sweep.py",
    "factors/threads.py": "factors/test_sweep.py",
    "training/outcome.py": "test_engine.py",
    "training/trainer.py": "test_engine.py",
    # What the checks for leaks share.
    "training/leak_finding.py": "training/test_hindsight.py",
    # The rows of a fold, and what is said of them.
    "training/answers.py": "training/test_evaluation.py",
    "training/fold_parts.py": "training/test_fold_fit.py",
    # What splitters share is seen in the one that is used most.
    "training/time_splitter.py": "training/test_walk_forward.py",
    # Lanes are one thing in three files.
    "kernels/lane_math.py": "kernels/test_lanes.py",
    "kernels/lane_types.py": "kernels/test_lanes.py",
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
every_module = pytest.mark.parametrize("name", MODULES)


def part_of(module: str) -> str:
    """Return the first name below the package: a sub-package, or a module that stands alone."""
    return module.partition(".")[2].partition(".")[0]


def imports(name: str) -> Iterator[tuple[str, str]]:
    """Yield every import of the package in a module, inside functions too: (module, name)."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "alphaseeker":
                    yield alias.name, ""
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module.partition(".")[0] == "alphaseeker":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield (inner, "") if inner in MODULES else (node.module, alias.name)


# ---- imports ------------------------------------------------------------------------------------


def test_every_part_has_its_layer():
    assert {part_of(name) for name in MODULES} <= set(LAYERS)


@every_module
def test_imports_go_downwards(name):
    part = part_of(name)
    wrong = []
    for module, imported in imports(name):
        target = part_of(module)
        if (module, imported) == ("alphaseeker", "__version__") or target == part:
            continue
        if LAYERS[target] >= LAYERS[part] and (part, target) not in SIDEWAYS:
            wrong.append(f"{name} (layer {LAYERS[part]}) imports {module} ({LAYERS[target]})")
    assert wrong == []


def test_no_sideways_import_is_allowed_in_vain():
    used = {(part_of(name), part_of(module)) for name in MODULES for module, _ in imports(name)}
    assert used >= SIDEWAYS


def test_no_module_imports_itself_by_a_detour():
    below = {name: {module for module, _ in imports(name)} for name in MODULES}
    del below["alphaseeker"]  # shows public names, and is asked for the version alone
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " imports ".join([*above[above.index(name) :], name])
        if name in below and name not in done:
            for module in sorted(below[name]):
                visit(module, (*above, name))
            done.add(name)

    for name in below:
        visit(name, ())


@every_module
def test_imports_are_absolute(name):
    nodes = ast.walk(TREES[name])
    assert not any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in nodes)


# ---- modules ------------------------------------------------------------------------------------


@every_module
def test_a_module_says_what_it_holds_and_what_it_shows(name):
    tree = TREES[name]
    assert ast.get_docstring(tree), "no docstring"
    if len(tree.body) == 1:
        return  # a package that holds nothing itself
    module = importlib.import_module(name)
    shown = module.__all__
    assert len(shown) == len(set(shown))
    assert [item for item in shown if not hasattr(module, item)] == []


@every_module
def test_a_module_leaves_the_private_names_of_others_alone(name):
    taken = [item for module, item in imports(name) if module != name]
    assert [item for item in taken if item.startswith("_") and item != "__version__"] == []


@every_module
def test_a_module_is_short_and_has_a_name_of_its_own(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert name.rpartition(".")[2] not in ("utils", "util", "helpers", "helper", "common", "misc")


def test_the_package_shows_the_public_names_and_no_more():
    assert alphaseeker.__all__ == PUBLIC
    assert all(getattr(alphaseeker, name) is not None for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'create_engine'"):
        _ = alphaseeker.create_engine


def test_the_version_is_the_one_installed():
    assert alphaseeker.__version__ == importlib.metadata.version("alphaseeker")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert alphaseeker.__version__ == project["version"]


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()


# ---- kernels ------------------------------------------------------------------------------------

DECORATORS = {"njit", "jit", "vectorize", "guvectorize", "jitclass", "cfunc", "stencil", "prange"}


def used_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2]
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


@every_module
def test_one_decorator_owns_the_compiler(name):
    found = set(used_names(TREES[name])) & (DECORATORS | {"fastmath", "parallel"})
    assert found == ({"njit"} if name == "alphaseeker._jit" else set())


def test_its_flags_keep_nan_and_order():
    assert not {"fastmath", "parallel"} & set(_jit.FLAGS)
    assert _jit.FLAGS == {"nogil": True, "error_model": "numpy"}


# ---- tests --------------------------------------------------------------------------------------


def shows_names(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
        for node in tree.body
    )


def mirror_of(path: Path) -> Path:
    """Return where the tests of a module stand unless the table says otherwise."""
    inside = path.relative_to(PACKAGE)
    return TESTS / inside.parent / f"test_{inside.stem.removeprefix('_')}.py"


def test_every_module_has_its_tests():
    missing = [
        str(path.relative_to(PACKAGE))
        for name, path in MODULES.items()
        if shows_names(TREES[name])
        and path.name != "__init__.py"
        and not mirror_of(path).is_file()
        and str(path.relative_to(PACKAGE)) not in TESTED_IN
    ]
    assert missing == []


@pytest.mark.parametrize("module", TESTED_IN)
def test_the_table_of_tests_is_true(module):
    path = PACKAGE / module
    assert path.is_file(), "the module is gone"
    assert not mirror_of(path).is_file(), "the module has a test file of its own name"
    assert (TESTS / TESTED_IN[module]).is_file(), "the test file is gone"


@pytest.mark.parametrize("path", sorted((TESTS / "oracles").rglob("*.py")), ids=lambda p: p.stem)
def test_oracles_import_nothing_of_the_package(path):
    """They are written from the formulas: what they share with a kernel would be wrong in both."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not [name for name in imported if name.split(".")[0] == "alphaseeker"]
