"""The CEL engine without its command line.

Importing the package `cel` also imports its interactive shell and a terminal toolkit: 10 MB in every relay process for nothing. So
its extension module is loaded by itself. It is self-contained; the package adds only the shell and optional functions.
"""

import importlib.util
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cel import Program

_PACKAGE, _EXTENSION = "cel", "cel.cel"


def _load() -> Any:  # noqa: ANN401 - an extension module without type information
    package = importlib.util.find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package is not None else None
    spec = PathFinder.find_spec(_EXTENSION, folders)
    if spec is None or spec.loader is None:
        raise ImportError(
            "common-expression-language is not installed, or no longer has its engine in cel.cel"
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_engine = _load()


def compile_program(text: str) -> "Program":
    """Raises ValueError for what is not CEL."""
    program: Program = _engine.compile(text)
    return program
