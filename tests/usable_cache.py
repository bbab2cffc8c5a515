"""A folder for compiled code, whoever runs the tests: without one each process compiles anew.

Imported before any kernel, since kernels ask for the folder as they are imported. The processes
that tests start, and pytest's own workers, take it over with the environment.
"""

import atexit
import os
import shutil
import tempfile

from alphaseeker._jit import cache_root, why_unusable


def is_usable():
    """Say whether this user has a folder for kernels and for the libraries of models."""
    try:
        root = cache_root()
    except RuntimeError:
        return False
    return why_unusable(root) is None and why_unusable(root / "libraries") is None


if not is_usable():
    folder = tempfile.mkdtemp(prefix="alphaseeker-tests-")
    os.environ["ALPHASEEKER_CACHE_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
