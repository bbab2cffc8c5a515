"""Every column against its formula before it becomes float32: to 1e-9 of what was added up.

A copy of the package whose output is float64 goes through the oracle's tests, which then allow for
no rounding to float32.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import alphaseeker

PACKAGE = Path(alphaseeker.__file__).parent
TESTS = Path(__file__).resolve().parents[1]
# Where a column is written, kept, or copied out.
NARROW = ("layout.py", "output.py", "batch.py", "stream.py")


def run(folder, *arguments):
    path = os.pathsep.join([str(folder / "src"), str(TESTS)])
    cache = str(folder / "cache")
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": path, "ALPHASEEKER_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )


def test_columns_are_right_before_they_are_rounded(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "src" / "alphaseeker")
    for name in NARROW:
        path = tmp_path / "src" / "alphaseeker" / "features" / name
        text = path.read_text(encoding="utf-8")
        assert "np.float32" in text
        path.write_text(text.replace("np.float32", "np.float64"), encoding="utf-8")
    kind = run(
        tmp_path,
        "-c",
        "from alphaseeker.features.layout import OUTPUT; print(OUTPUT['flow']['ofi'])",
    )
    assert "float64" in kind.stdout or "<f8" in kind.stdout, kind.stderr
    oracle = str(TESTS / "features" / "test_oracle.py")
    done = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", oracle)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert " passed" in done.stdout
