"""A digest of what a function says, equal wherever the same source runs.

Names that the function takes from around it count too: a half-life in a closure, a constant of the
module or of a class, a function that it calls. Otherwise two steps of one source could mean
different things.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any

import numpy as np

__all__ = ["is_wholly_told", "source_digest", "step_digest"]

PLAIN = (bool, int, float, complex, str, bytes, type(None))
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
KNOWN_MODULES = ("builtins", "cmath", "math")
KNOWN_CLASSES = ("builtins", "numpy")
ABSENT = object()

Path = tuple[str, ...]  # a name and the attributes read of it: ("settings", "HALF_LIFE")


@dataclass
class _Walk:
    """The functions that were gone through, by identity, and whether anything was left untold."""

    functions: set[int] = field(default_factory=set)
    untold: bool = False


def source_digest(function: Callable[..., Any]) -> str:
    """Return the SHA-256 of ``function`` and of what it refers to, in hexadecimal.

    Names count wherever in the function they stand, in comprehensions and inner functions as well,
    and so do the attributes that it reads of modules and classes. Decorators do not count where
    the source is at hand; where it is not (in a console, or of a lambda) the compiled code stands
    for it, which another version of Python may change.

    Numbers, text, arrays, dtypes, members of an enumeration, tuples of them and functions written
    in Python count with all that they hold. Of any other object, such as a list, a dictionary or
    an instance of a class, only the type counts: a change of what it holds goes unseen. Of a
    function that is compiled in its library, only the name counts.
    """
    digest = hashlib.sha256()
    for part in _parts(function, _Walk()):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def step_digest(step: Callable[..., Any], state: np.dtype[Any]) -> str:
    """Return the digest of a custom feature: of its step, and of the dtype of its state."""
    return hashlib.sha256(f"{source_digest(step)} {state.descr!r}".encode()).hexdigest()


def is_wholly_told(function: Callable[..., Any]) -> bool:
    """Say whether ``source_digest`` sees all that ``function`` reads.

    It does not where there is an object whose type alone counts, a class that may be called or read
    under another name, or code that is compiled in a library other than Python's own and NumPy's,
    whose versions are known.
    """
    walk = _Walk()
    _parts(function, walk)
    return not walk.untold


def _parts(function: Any, walk: _Walk) -> list[str]:
    """Return the texts of a function and of all it refers to; none where it has no Python code."""
    plain = getattr(function, "py_func", function)  # of one that Numba has compiled
    plain = getattr(plain, "__func__", plain)  # of a method
    code = getattr(plain, "__code__", None)
    # By identity: two closures of one factory have equal code.
    if not isinstance(code, CodeType):
        walk.untold |= not _is_known(plain)
        return []
    if id(plain) in walk.functions:
        return []
    walk.functions.add(id(plain))
    found = [_source(plain, code)]
    codes = list(_nested(code))
    names = {name for inner in codes for name in inner.co_names}
    given = {"defaults": plain.__defaults__, **(plain.__kwdefaults__ or {})}
    for name, value in sorted(given.items()):
        found += [name, *_described(value, names, walk)]
    outer = {"global": plain.__globals__, "closure": _closure(plain, code)}
    for scope, path in sorted({read for inner in codes for read in _reads(inner)}):
        value = outer[scope].get(path[0], ABSENT)
        for attribute in path[1:]:
            # What lies deeper is an attribute of a value, and counts with the value.
            if not isinstance(value, (ModuleType, type)):
                break
            value = _attribute(value, attribute)
        if value is not ABSENT:
            found += [".".join(path), *_described(value, names, walk)]
    return found


def _is_known(function: Any) -> bool:
    """Say whether a compiled function is Python's or NumPy's own."""
    if isinstance(function, np.ufunc):
        return getattr(np, function.__name__, None) is function
    return isinstance(function, BuiltinFunctionType) and function.__module__ in KNOWN_MODULES


def _described(value: Any, names: set[str], walk: _Walk) -> list[str]:
    """Return the texts of a value; of a module or class, those of the attributes in ``names``."""
    text = _constant(value)
    if text is not None:
        return [text]
    if isinstance(value, tuple):
        return [part for item in value for part in ("item", *_described(item, names, walk))]
    if isinstance(value, (ModuleType, type)):
        # A class that is called runs methods of which nothing is named here.
        walk.untold |= isinstance(value, type) and value.__module__ not in KNOWN_CLASSES
        # Under another name its attributes cannot be told from those of other things.
        return _attributes(value, names, walk)
    if callable(value):
        return _parts(value, walk)
    walk.untold = True
    return [repr(type(value))]


def _attributes(holder: Any, names: set[str], walk: _Walk) -> list[str]:
    found = []
    for name in sorted(names):
        value = _attribute(holder, name)
        if isinstance(value, (ModuleType, type)):
            walk.untold = True  # what is read of it in turn
        elif value is not ABSENT:
            found += [name, *_described(value, names, walk)]
    return found


def _attribute(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name, ABSENT)
    except Exception:  # noqa: BLE001 - what a module's __getattr__ raises is its own affair
        return ABSENT


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Yield ``code`` and every code inside it: of comprehensions, generators, inner functions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _reads(code: CodeType) -> Iterator[tuple[str, Path]]:
    """Yield scope and path of each name from outside that ``code`` reads."""
    scope, path = "", []
    for step in dis.get_instructions(code):
        if step.opname == "EXTENDED_ARG":
            continue
        if scope and step.opname in ATTRIBUTES:
            path.append(str(step.argval))
            continue
        if scope:
            yield scope, tuple(path)
        scope, path = _scope(step.opname), [str(step.argval)]


def _scope(instruction: str) -> str:
    if instruction.startswith("LOAD") and instruction.endswith(("GLOBAL", "GLOBALS", "NAME")):
        return "global"
    return "closure" if instruction.startswith("LOAD") and instruction.endswith("DEREF") else ""


def _closure(function: Any, code: CodeType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet bound
            continue
    return found


def _source(function: Callable[..., Any], code: CodeType) -> str:
    try:
        lines = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(lines).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return _compiled(code)
    if not isinstance(tree, ast.FunctionDef):
        return _compiled(code)
    # The decorator is no part of the step.
    return "\n".join(lines.splitlines()[tree.lineno - 1 : tree.end_lineno])


def _compiled(code: CodeType) -> str:
    constants = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, constants))


def _constant(value: Any) -> str | None:
    """Return a text of the value; None where it is no constant that a kernel could hold."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, Enum):
        return f"{value.name} {_constant(value.value)}"
    if isinstance(value, (*PLAIN, np.generic, np.dtype)):
        return repr(value)
    if isinstance(value, tuple):
        inner = [_constant(item) for item in value]
        return None if None in inner else repr(inner)
    return None
