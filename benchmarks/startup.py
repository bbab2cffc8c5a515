"""What a user waits for before the first tick: imports, cold compilation, warm load.

python benchmarks/startup.py

Each figure comes from processes of its own; the compile cache is a temporary folder.
"""

import os
import statistics
import subprocess
import sys
import tempfile

RUNS = 5
IMPORT = """
import time
start = time.perf_counter(); import numpy, numba; base = time.perf_counter()
import alphaseeker; bare = time.perf_counter()
from alphaseeker import create_ml_engine; create_ml_engine(log_level="ERROR")
end = time.perf_counter()
print(base - start, bare - base, end - base)
"""
KERNELS = """
from alphaseeker.inference.warm import compile_kernels
print(compile_kernels())
"""


def run(code: str, cache: str) -> list[float]:
    """Run ``code`` in a fresh process and return the numbers it prints."""
    environment = {**os.environ, "ALPHASEEKER_CACHE_DIR": cache}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(word) for word in result.stdout.split()]


def main() -> None:
    """Measure and print medians."""
    with tempfile.TemporaryDirectory() as cache:
        cold = run(KERNELS, cache)[0]
        warm = statistics.median(run(KERNELS, cache)[0] for _ in range(RUNS))
        imports = [run(IMPORT, cache) for _ in range(RUNS)]
    base, bare, engine = (statistics.median(column) for column in zip(*imports, strict=True))
    print(f"import numpy, numba        {base:.3f} s")
    print(f"import alphaseeker         {bare:.3f} s more")
    print(f"and create_ml_engine()     {engine:.3f} s more")
    print(f"live path, cold compile    {cold:.1f} s")
    print(f"live path, warm load       {warm:.2f} s")


if __name__ == "__main__":
    main()
