"""The compiled modules: the list names what there is, and in CI it is them that the tests run."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.native.modules import ROOT, hot_modules, is_built
from tests.conftest import missing


def test_every_name_of_the_list_is_a_module_and_is_there_once() -> None:
    modules = hot_modules()

    assert len(modules) == len(set(modules))
    assert {"shared/relay/conversation.py", "gateway/pipeline.py", "gateway/steps/variables.py"} <= set(
        modules
    )
    assert sum(module.startswith("gateway/steps/step_") for module in modules) == 15


_FROM_SOURCES = """
import importlib, importlib.machinery, sys
root, *modules = sys.argv[1:]
hook = importlib.machinery.FileFinder.path_hook((importlib.machinery.SourceFileLoader, [".py"]))
ours = tuple(f"{root}/{package}" for package in ("shared", "gateway"))

def of_ours(path):
    if not path.startswith(ours):
        raise ImportError
    return hook(path)

sys.path.insert(0, root)
sys.path_hooks.insert(0, of_ours)
for module in modules:
    assert importlib.import_module(module).__file__.endswith(".py"), module
"""


def test_without_a_compiler_the_sources_run_as_they_are() -> None:
    """In an order of definitions that only compiled code does not mind, say, they would not."""
    names = [module.removesuffix(".py").replace("/", ".") for module in hot_modules()]
    command = [sys.executable, "-c", _FROM_SOURCES, str(ROOT), *names]

    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", hot_modules())
def test_what_is_compiled_is_what_runs(module: str) -> None:
    if not is_built():
        missing("the compiled modules", "run `make native`")

    loaded = importlib.import_module(module.removesuffix(".py").replace("/", "."))

    assert loaded.__file__ is not None
    assert Path(loaded.__file__).suffix == ".so"
    assert Path(loaded.__file__).parent == ROOT / Path(module).parent


@pytest.mark.parametrize("module", hot_modules())
def test_nothing_that_is_compiled_waits_while_it_handles_an_exception_that_is_raised_again(
    module: str,
) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))

    assert [node.lineno for node in ast.walk(tree) if _loses_its_exception(node)] == []


@pytest.mark.parametrize(
    ("found", "body"),
    [
        (True, "async with turn: pass"),
        (False, "async with asyncio.timeout(1): await work()"),
        (True, "try: pass\n except BaseException:\n  await undo()\n  raise"),
        (True, "try: pass\n except OSError as error:\n  await undo()\n  raise Broken from error"),
        (False, "try: pass\n except BaseException:\n  undo()\n  raise"),
        (False, "try: pass\n except OSError:\n  await undo()"),
    ],
)
def test_it_is_seen_when_an_exception_would_be_lost(body: str, *, found: bool) -> None:
    tree = ast.parse(f"async def call():\n {body}")

    assert any(_loses_its_exception(node) for node in ast.walk(tree)) is found


def _loses_its_exception(node: ast.AST) -> bool:
    match node:
        case ast.AsyncWith(items=[ast.withitem(ast.Call(ast.Attribute(ast.Name("asyncio"), "timeout")))]):
            return False  # its end does not wait
        case ast.AsyncWith():
            return True
        case ast.ExceptHandler():
            inside = list(ast.walk(node))
            return any(isinstance(one, ast.Await) for one in inside) and any(
                isinstance(one, ast.Raise) for one in inside
            )
        case _:
            return False
