"""The one decorator that owns every Numba flag, and the compile cache it writes to.

Numba's own cache compares only the file that a function stands in: a callee edited in another
file leaves its callers stale. Here the cache folder is named by a hash of all package sources,
of the compiler's version and of the flags, so that nothing stale can ever be loaded.

A cache folder that cannot be written, or that belongs to somebody else, is not used: kernels
then compile in memory, and ``cache_status()`` says so. A torn cache file or a full disk costs a
compilation and a line in the log, never the kernel.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import logging
import os
import pickle
import platform
import re
import shutil
import stat
import sys
import threading
from collections.abc import Callable
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np
import numpy.typing as npt
from numba.core import config as numba_config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.registry import CPUDispatcher, cpu_target

__all__ = [
    "allocate_record",
    "cache_directory",
    "cache_root",
    "cache_status",
    "clear_cache",
    "code_mark",
    "inlined",
    "kernel",
    "part",
    "source_hash",
    "user_kernel",
    "why_unusable",
]

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

# No fastmath: it breaks NaN handling and compensated sums. No parallel: steps are stateful.
FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

# Numba leaves millions of objects behind in a compilation, none of them for Python's collector of
# cycles to free: looking at them again and again took a seventh of the time of a cold start.
COLLECT_AFTER = (100_000, 30, 100)

DIGEST_BYTES = 12
# A cache folder set by the user may hold folders of other things: those are not ours to clear.
FOLDER_NAME = re.compile(rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}")

# What ``pickle`` may raise on a torn file, by its own documentation and by trial.
UNREADABLE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    AttributeError,
    ImportError,
    LookupError,
)


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Return a hash of every source file, and of the versions and flags that shape the code."""
    package = Path(__file__).resolve().parent
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    # Numba compiles the bounds checks in or out but leaves them out of its own cache key.
    settings = (numba.__version__, np.__version__, sys.version, sorted(FLAGS.items()))
    digest.update(repr((*settings, bool(numba_config.BOUNDSCHECK))).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_mark() -> str:
    """Say what computes: numbers that were computed under the same mark are the same to the bit.

    Sources, versions and flags as for the compile cache, what the compiler makes of this processor,
    and the library of C whose logarithms are called.
    """
    switches = {
        name: getattr(numba_config, name, None)
        for name in ("DISABLE_JIT", "OPT", "ENABLE_AVX", "USING_SVML", "DISABLE_INTEL_SVML")
    }
    target = (llvmlite.__version__, *cpu_target.target_context.codegen().magic_tuple())
    # glibc chooses its logarithm by the processor, which this variable may hide from it.
    library = (platform.libc_ver(), os.environ.get("GLIBC_TUNABLES"))
    return repr((source_hash(), switches, target, library, platform.machine()))


def cache_root() -> Path:
    """Return the folder for all that is compiled, whether or not it is there.

    Raises
    ------
    RuntimeError
        There is no home folder, and neither ALPHASEEKER_CACHE_DIR nor XDG_CACHE_HOME is set.
    """
    override = os.environ.get("ALPHASEEKER_CACHE_DIR")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "alphaseeker"


def why_unusable(folder: Path) -> str | None:
    """Say why compiled code must not be kept in ``folder``, which is made; None where it may."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        return f"{folder} cannot be created: {error.strerror}"
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return f"{folder} belongs to another user"
    if status.st_mode & stat.S_IWOTH:
        return f"{folder} is writable by everyone"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable"
    return None


@lru_cache(maxsize=1)
def cache_status() -> tuple[Path | None, str]:
    """Return the folder that compiled kernels are kept in (or None) and a sentence about it."""
    try:
        root = cache_root()
    except RuntimeError as error:
        return None, f"kernels compile in memory: no home folder ({error})"
    for folder in (root, root / source_hash()):
        reason = why_unusable(folder)
        if reason is not None:
            return None, f"kernels compile in memory: {reason}"
    return folder, f"compiled kernels are kept in {folder}"


def cache_directory() -> Path | None:
    """Return the folder of this version's compiled kernels, or None where none is usable."""
    return cache_status()[0]


def clear_cache(*, stale_only: bool = False) -> int:
    """Delete compiled kernels on disk and return how many folders went.

    Parameters
    ----------
    stale_only
        Keep the folder of the sources and versions now running.
    """
    current = cache_directory()
    if current is None:
        return 0
    kept = [folder for folder in current.parent.iterdir() if FOLDER_NAME.fullmatch(folder.name)]
    doomed = [folder for folder in kept if not (stale_only and folder == current)]
    for folder in doomed:
        shutil.rmtree(folder, ignore_errors=True)
    current.mkdir(mode=0o700, exist_ok=True)
    return len(doomed)


class _PackageLocator(_CacheLocator):  # type: ignore[misc]
    """Keeps every kernel in one folder whose name already says which sources it came from."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        # Numba adds the file's own name only, and `volatility.py` stands in two of our folders.
        self._disambiguator = f"{py_func.__module__}-{py_func.__code__.co_firstlineno}"
        folder = cache_directory()
        assert folder is not None  # kernel() asks for this locator only where a folder is usable
        self._folder = str(folder)

    def get_cache_path(self) -> str:
        return self._folder

    def get_source_stamp(self) -> str:
        return "sources are hashed in the folder's name"

    def get_disambiguator(self) -> str:
        return self._disambiguator

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _PackageLocator:
        return cls(py_func, py_file)


class _PackageCacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes: ClassVar[list[type[_CacheLocator]]] = [_PackageLocator]


class _PackageCache(FunctionCache):  # type: ignore[misc]
    """A kernel's cache that may fail: the kernel is then compiled, or not kept."""

    _impl_class = _PackageCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except UNREADABLE as error:
            logger.warning("compiled %s cannot be read, compiling anew: %r", self._name, error)
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except UNREADABLE as error:
            logger.warning("compiled %s cannot be kept on disk: %r", self._name, error)


class _PatientCollector:
    """Lets Python collect cycles less often while anything is compiled, in whatever threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = gc.get_threshold()
                gc.set_threshold(*COLLECT_AFTER)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                gc.set_threshold(*self._before)


_patient_collector = _PatientCollector()


def _compiled(function: Any, **flags: Any) -> Any:
    dispatcher = numba.njit(**FLAGS, **flags)(function)
    compile_now = dispatcher.compile

    @wraps(compile_now)
    def compile_patiently(signature: Any) -> Any:
        with _patient_collector:
            return compile_now(signature)

    dispatcher.compile = compile_patiently
    return dispatcher


def kernel(function: Function) -> Function:
    """Compile a scalar step or a loop over steps, with the package's flags and cache.

    Under ``NUMBA_DISABLE_JIT=1`` the plain function is returned, so that a debugger can enter it.
    """
    if numba_config.DISABLE_JIT:
        return function
    dispatcher = _compiled(function)
    if cache_directory() is not None:
        dispatcher._cache = _PackageCache(function)
    return cast(Function, dispatcher)


class _Part(CPUDispatcher):  # type: ignore[misc]
    """A kernel that other kernels call; called from Python, it compiles a second time."""

    def __call__(self, *arguments: Any) -> Any:
        return self._from_python(*arguments)

    @cached_property
    def _from_python(self) -> Any:
        return kernel(self.py_func)


def part(function: Function) -> Function:
    """Compile what other kernels call.

    It has neither the two wrappers that Numba makes for Python and C nor a place of its own in the
    cache (its callers have theirs): both together are a fifth of the time to compile. LLVM always
    inlines it: a call has a place of its own on the caller's stack for what it returns, and all of
    these places are cleared whenever the caller is entered (sixty of them took a tenth of a tick).
    """
    if numba_config.DISABLE_JIT:
        return function
    dispatcher = _compiled(
        function, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True
    )
    dispatcher.__class__ = _Part
    return cast(Function, dispatcher)


def user_kernel(function: Function) -> Function:
    """Compile code of the user's own with the package's flags, in memory alone.

    The cache folder is named by the package's sources: it could not tell that a user's changed.
    """
    if numba_config.DISABLE_JIT:
        return function
    return cast(Function, _compiled(function))


def inlined(function: Function) -> Function:
    """Make a part of the one kernel that calls it, which then is compiled as a whole.

    A kernel of its own is optimised by itself and again inside its caller, and inside the caller's
    caller: of the feature step, whose clock and writers are such parts, a quarter of the time to
    compile went into that. Everything inlined costs more again: Numba's own passes are not linear
    in the size of a function.
    """
    if numba_config.DISABLE_JIT:
        return function
    return cast(Function, numba.njit(inline="always", **FLAGS)(function))


def allocate_record(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a zeroed one-element array of ``dtype``, the form in which kernels take a record.

    A record scalar costs 17.6 µs a call from Python where the one-element array costs 0.5 µs.
    Without the compiler the array is a ``recarray``, whose elements have fields as attributes.
    """
    record = np.zeros(1, dtype=dtype)
    return record.view(np.recarray) if numba_config.DISABLE_JIT else record
