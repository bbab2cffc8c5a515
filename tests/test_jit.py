"""The kernel decorator and its cache: never stale, never in the way, and a light import."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import alphaseeker
from alphaseeker import _jit

PACKAGE = Path(alphaseeker.__file__).parent
TESTS = Path(__file__).parent

CALLEE = """
from tiny._jit import kernel


@kernel
def scale(value):
    return 2.0 * value


@kernel
def pick(values, place):
    return values[place]
"""
CALLER = """
from tiny._jit import kernel
from tiny.callee import scale


@kernel
def twice(value):
    return scale(value) + scale(value)
"""
# Loads or compiles `twice`, and says what it answered and what the cache did.
TWICE = """
import json, logging, sys
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())
logging.getLogger().addHandler(handler)
from tiny import _jit
from tiny.caller import twice
answer = twice(1.5)
folder, message = _jit.cache_status()
print(json.dumps({
    "answer": answer,
    "hits": sum(twice.stats.cache_hits.values()),
    "misses": sum(twice.stats.cache_misses.values()),
    "folder": folder and str(folder),
    "message": message,
    "cleared": _jit.clear_cache() if folder is None else None,
    "lines": lines,
}))
"""


def run_python(script: str, path: Path | None = None, **environment: str) -> Any:
    """Run ``script`` in a fresh interpreter and return what it printed, read as JSON."""
    ours = ("NUMBA_", "ALPHASEEKER_", "XDG_CACHE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if path is not None:
        kept["PYTHONPATH"] = str(path)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with a small package around a copy of ``_jit.py``."""
    package = tmp_path / "path" / "tiny"
    package.mkdir(parents=True)
    shutil.copy(PACKAGE / "_jit.py", package)
    (package / "__init__.py").touch()
    (package / "callee.py").write_text(CALLEE)
    (package / "caller.py").write_text(CALLER)
    return package.parent


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


# ---- never stale --------------------------------------------------------------------------------

VOLATILITY = """
import gc
import json
import numpy as np
import alphaseeker
from alphaseeker.risk.volatility import volatility_step
names = ["quotes", "first_timestamp", "timestamp"]
fields = ["bid_price", "ask_price", "return_square", "return_weight"]
dtype = [(name, np.int64) for name in names] + [(name, np.float64) for name in fields]
position = np.zeros(1, dtype=dtype)
for timestamp in (0, 60_000_000_000):
    volatility_step(position, timestamp, 100.0, 101.0, 60.0)
print(json.dumps({
    "package": alphaseeker.__file__,
    "answer": round(position["return_weight"].item(), 12),
    "hits": sum(volatility_step.stats.cache_hits.values()),
    "misses": sum(volatility_step.stats.cache_misses.values()),
}))
"""


def test_an_edited_callee_in_another_file_changes_its_callers_answer(tmp_path, cache):
    copy = tmp_path / "copy" / "alphaseeker"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def run():
        answer = run_python(VOLATILITY, copy.parent, ALPHASEEKER_CACHE_DIR=str(cache))
        assert Path(answer.pop("package")).parent == copy
        return answer

    # One half-life has passed: half of all weight.
    assert run() == {"answer": 0.5, "hits": 0, "misses": 1}
    callee = copy / "kernels" / "ewma.py"
    text = callee.read_text()
    edited = text.replace("average - (held - average)", "average - 10.0 * (held - average)")
    assert edited != text
    callee.write_text(edited)
    assert run() == {"answer": 5.0, "hits": 0, "misses": 1}
    assert run() == {"answer": 5.0, "hits": 1, "misses": 0}


def test_namesakes_in_two_folders_do_not_share_a_cache_entry(tiny, cache):
    for folder, factor in (("one", 2.0), ("two", 3.0)):
        (tiny / "tiny" / folder).mkdir()
        (tiny / "tiny" / folder / "__init__.py").touch()
        (tiny / "tiny" / folder / "same.py").write_text(CALLEE.replace("2.0", str(factor)))
    script = """
import gc
import json
from tiny.one import same as one
from tiny.two import same as two
print(json.dumps([one.scale(1.0), two.scale(1.0)]))
"""
    for _cold_then_warm in range(2):
        assert run_python(script, tiny, ALPHASEEKER_CACHE_DIR=str(cache)) == [2.0, 3.0]


def test_bounds_checks_have_a_cache_of_their_own(tiny, cache):
    script = """
import gc
import json
import numpy as np
from tiny import _jit
from tiny.callee import pick
pick(np.arange(3.0), 1)
caught = False
if _jit.numba_config.BOUNDSCHECK:
    try:
        pick(np.arange(3.0), 3)
    except IndexError:
        caught = True
print(json.dumps([str(_jit.cache_directory()), caught]))
"""
    plain, _ = run_python(script, tiny, ALPHASEEKER_CACHE_DIR=str(cache))
    checked, caught = run_python(
        script, tiny, ALPHASEEKER_CACHE_DIR=str(cache), NUMBA_BOUNDSCHECK="1"
    )
    assert caught
    assert checked != plain
    assert Path(checked).parent == Path(plain).parent == cache


# ---- never in the way ---------------------------------------------------------------------------


def make_foreign(cache):
    if os.getuid() == 0:
        cache.mkdir()
        os.chown(cache, 12_345, -1)
        return cache
    return Path("/")


def make_world_writable(cache):
    cache.mkdir()
    cache.chmod(0o777)
    return cache


def make_read_only(cache):
    cache.mkdir()
    cache.chmod(0o500)
    return cache


def make_below_a_file(cache):
    cache.write_text("a file where a folder should be")
    return cache / "folder"


# Root may write anywhere: it is told here what any other user is told.
AS_ANY_USER = "import os; os.access = lambda path, mode: not mode & os.W_OK\n"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX")
@pytest.mark.parametrize(
    ("make", "prelude", "reason"),
    [
        (make_foreign, "", "belongs to another user"),
        (make_world_writable, "", "is writable by everyone"),
        (make_read_only, AS_ANY_USER, "is not writable"),
        (make_below_a_file, "", "cannot be created"),
    ],
)
def test_an_unusable_cache_folder_is_told_and_not_used(tiny, cache, make, prelude, reason):
    folder = make(cache)
    answer = run_python(prelude + TWICE, tiny, ALPHASEEKER_CACHE_DIR=str(folder))
    assert answer["answer"] == 6.0
    assert answer["folder"] is None
    assert answer["message"].startswith("kernels compile in memory")
    assert reason in answer["message"]
    assert str(folder) in answer["message"]
    assert answer["cleared"] == 0
    assert not cache.is_dir() or list(cache.iterdir()) == []


def test_without_a_home_kernels_compile_in_memory(tiny):
    nobody = """
import os, pwd
os.environ.pop("HOME", None)
def getpwuid(uid):
    raise KeyError(uid)
pwd.getpwuid = getpwuid
"""
    answer = run_python(nobody + TWICE, tiny)
    assert answer["answer"] == 6.0
    assert answer["folder"] is None
    assert "no home folder" in answer["message"]


def test_the_cache_stands_in_the_users_cache_folder(tiny, tmp_path):
    answer = run_python(TWICE, tiny, XDG_CACHE_HOME=str(tmp_path / "xdg"))
    folder = Path(answer["folder"])
    assert folder.parent == tmp_path / "xdg" / "alphaseeker"
    assert answer["message"] == f"compiled kernels are kept in {folder}"
    assert folder.stat().st_mode & 0o777 == 0o700
    answer = run_python(TWICE, tiny, HOME=str(tmp_path / "home"))
    assert Path(answer["folder"]) == tmp_path / "home" / ".cache" / "alphaseeker" / folder.name


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_torn_cache_file_is_compiled_anew(tiny, cache, kind):
    def run():
        return run_python(TWICE, tiny, ALPHASEEKER_CACHE_DIR=str(cache))

    folder = Path(run()["folder"])
    for torn in folder.glob(f"*.{kind}"):
        torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    mended = run()
    assert mended["answer"] == 6.0
    assert any("compiling anew" in line for line in mended["lines"])
    again = run()
    assert (again["hits"], again["misses"], again["lines"]) == (1, 0, [])


def test_a_full_disk_costs_the_cache_and_not_the_kernel(tiny, cache):
    full = """
import errno, os
def replace(*paths):
    raise OSError(errno.ENOSPC, "No space left on device")
os.replace = replace
"""
    answer = run_python(full + TWICE, tiny, ALPHASEEKER_CACHE_DIR=str(cache))
    assert answer["answer"] == 6.0
    assert any("cannot be kept" in line and "No space" in line for line in answer["lines"])
    assert list(Path(answer["folder"]).iterdir()) == []


def test_clear_cache_takes_our_own_folders_only(tiny, cache):
    stale, other = cache / ("0" * 24), cache / "photographs"
    for folder in (stale, other):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    script = """
import gc
import json
from tiny import _jit
from tiny.caller import twice
twice(1.5)
before = len(list(_jit.cache_directory().iterdir()))
stale = _jit.clear_cache(stale_only=True)
kept = len(list(_jit.cache_directory().iterdir()))
both = _jit.clear_cache()
print(json.dumps([before == kept > 0, stale, both, list(_jit.cache_directory().iterdir())]))
"""
    cache.chmod(0o700)
    answer = run_python(script, tiny, ALPHASEEKER_CACHE_DIR=str(cache))
    assert answer == [True, 1, 1, []]
    assert not stale.exists()
    assert (other / "file").exists()


# ---- without the compiler, and with bounds checks -----------------------------------------------

RECORD = """
import gc
import json
import numpy as np
from tiny._jit import allocate_record, cache_directory, kernel

@kernel
def count(rec):
    r = rec[0]
    r.inner.seen += 1
    r.last[1] = r.inner.seen / 0.0
    return r.inner.seen

record = allocate_record(np.dtype([("inner", [("seen", "i8")]), ("last", "f8", (2,))]))
start = record.tobytes() == bytes(record.nbytes)
with np.errstate(divide="ignore"):
    count(record)
    seen = int(count(record))
print(json.dumps([start, seen, float(record["last"][0, 1]), hasattr(count, "py_func")]))
"""


@pytest.mark.parametrize("without_compiler", [False, True])
def test_a_record_is_the_same_with_and_without_the_compiler(tiny, cache, without_compiler):
    path = tiny / "record.py"
    path.write_text(RECORD)
    answer = run_python(
        f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__')",
        tiny,
        ALPHASEEKER_CACHE_DIR=str(cache),
        **({"NUMBA_DISABLE_JIT": "1"} if without_compiler else {}),
    )
    # A division by zero follows IEEE 754, as in NumPy: it does not raise.
    assert answer == [True, 2, float("inf"), not without_compiler]


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_kernels_pass_their_tests_under(flag):
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"),
            *("-c", str(TESTS.parent / "setup.cfg"), str(TESTS / "kernels")),
        ],
        env={**os.environ, flag: "1"},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=1_800,
    )
    assert result.returncode == 0, result.stdout


# ---- a light import -----------------------------------------------------------------------------

HEAVY = ("pandas", "lightgbm", "sklearn", "scipy", "pyarrow", "polars", "rich", "click", "joblib")
# Numba itself looks at scipy's version: counted is what comes on top of Numba.
ADDED = f"""
import json, sys
import numba, numpy
before = set(sys.modules)
{{script}}
added = {{{{name.partition(".")[0] for name in set(sys.modules) - before}}}}
print(json.dumps(sorted(added & set({HEAVY}))))
"""


@pytest.mark.parametrize(
    "script",
    [
        "import alphaseeker",
        "from alphaseeker import create_ml_engine; create_ml_engine()",
        "from alphaseeker.features.feature_engineer import MicrostructureFeatureEngineer",
        "from alphaseeker.risk.manager import RiskManager; RiskManager()",
        "from alphaseeker import CombinatorialPurged, PurgedWalkForward",
    ],
)
def test_importing_loads_no_heavy_package(script):
    assert run_python(ADDED.format(script=script)) == []


def test_importing_the_errors_does_not_load_the_compiler():
    script = "import alphaseeker, json, sys; print(json.dumps('numba' in sys.modules))"
    assert run_python(script) is False


def test_the_collector_is_as_it_was_after_compilations_that_overlap():
    before = gc.get_threshold()
    with _jit._patient_collector:
        with _jit._patient_collector:
            assert gc.get_threshold() == _jit.COLLECT_AFTER
        assert gc.get_threshold() == _jit.COLLECT_AFTER
    assert gc.get_threshold() == before


def test_a_part_is_called_from_python_all_the_same():
    @_jit.part
    def doubled(value):
        return 2 * value

    @_jit.kernel
    def quadrupled(value):
        return doubled(doubled(value))

    assert doubled(3) == 6
    assert quadrupled(3) == 12
