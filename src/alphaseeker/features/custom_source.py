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
from enum import Enum
from types import CodeType, ModuleType
from typing import Any

import numpy as np

__all__ = ["source_digest"]

PLAIN = (bool, int, float, complex, str, bytes, type(None))
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
ABSENT = object()

Path = tuple[str, ...]  # a name and the attributes read of it: ("settings", "HALF_LIFE")


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
    for part in _parts(function, set()):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def _parts(function: Any, visited: set[int]) -> list[str]:
    """Return the texts of a function and of all it refers to; none where it has no Python code."""
    plain = getattr(function, "py_func", function)  # of one that Numba has compiled
    plain = getattr(plain, "__func__", plain)  # of a method
    code = getattr(plain, "__code__", None)
    # By identity: two closures of one factory have equal code.
    if not isinstance(code, CodeType) or id(plain) in visited:
        return []
    visited.add(id(plain))
    found = [_source(plain, code)]
    codes = list(_nested(code))
    names = {name for inner in codes for name in inner.co_names}
    given = {"defaults": plain.__defaults__, **(plain.__kwdefaults__ or {})}
    for name, value in sorted(given.items()):
        found += [name, *_described(value, names, visited)]
    outer = {"global": plain.__globals__, "closure": _closure(plain, code)}
    for scope, path in sorted({read for inner in codes for read in _reads(inner)}):
        value = outer[scope].get(path[0], ABSENT)
        for attribute in path[1:]:
            # What lies deeper is an attribute of a value, and counts with the value.
            if not isinstance(value, (ModuleType, type)):
                break
            value = _attribute(value, attribute)
        if value is not ABSENT:
            found += [".".join(path), *_described(value, names, visited)]
    return found


def _described(value: Any, names: set[str], visited: set[int]) -> list[str]:
    """Return the texts of a value; of a module or class, those of the attributes in ``names``."""
    text = _constant(value)
    if text is not None:
        return [text]
    if isinstance(value, tuple):
        return [part for item in value for part in ("item", *_described(item, names, visited))]
    if isinstance(value, (ModuleType, type)):
        # Under another name its attributes cannot be told from those of other things.
        return _attributes(value, names, visited)
    if callable(value):
        return _parts(value, visited)
    return [repr(type(value))]


def _attributes(holder: Any, names: set[str], visited: set[int]) -> list[str]:
    found = []
    for name in sorted(names):
        value = _attribute(holder, name)
        if value is not ABSENT and not isinstance(value, (ModuleType, type)):
            found += [name, *_described(value, names, visited)]
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
