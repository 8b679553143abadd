"""The house rules that a machine can hold: ceilings, names, docstrings, plugins found and never named."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import catchment
from catchment.plugin import KINDS, list_plugins

SOURCE = Path(catchment.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
STAGES = ("collect", "enrich", "ingest", "model", "predict", "audience", "activate", "measure")
SERVICES = ("schema", "lake", "serve", "simulate", "sandbox", "micro")
NAMELESS = {"util", "utils", "helper", "helpers", "common", "manager", "misc", "base"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def depth(node: ast.AST, level: int = 0) -> int:
    nests = isinstance(
        node, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.AsyncFor | ast.AsyncWith | ast.Match
    )
    below = [depth(child, level + nests) for child in ast.iter_child_nodes(node) if not _is_scope(child)]
    return max([level + nests, *below])


def _is_scope(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)


def relative(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_no_file_is_longer_than_400_lines() -> None:
    assert {relative(path) for path in FILES if len(path.read_text().splitlines()) > 400} == set()


def test_no_function_is_longer_than_50_lines() -> None:
    long = {
        f"{relative(path)}:{function.name}"
        for path in FILES
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > 50
    }
    assert long == set()


def test_no_function_takes_more_than_six_arguments() -> None:
    def count(arguments: ast.arguments) -> int:
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return sum(argument.arg not in ("self", "cls") for argument in named)

    wide = {f"{relative(path)}:{f.name}" for path in FILES for f in functions(path) if count(f.args) > 6}
    assert wide == set()


def test_nothing_nests_deeper_than_three() -> None:
    def body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        return max(depth(statement) for statement in function.body if not _is_scope(statement))

    deep = {f"{relative(path)}:{f.name}" for path in FILES for f in functions(path) if _plain(f) and body(f) > 3}
    assert deep == set()


def _plain(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(not _is_scope(statement) for statement in function.body)


def test_every_module_has_a_name_that_says_something() -> None:
    assert {relative(path) for path in FILES if path.stem in NAMELESS} == set()


@pytest.mark.parametrize("stage", STAGES + SERVICES)
def test_a_stage_introduces_itself_with_in_and_out(stage: str) -> None:
    docstring = importlib.import_module(f"catchment.{stage}").__doc__ or ""
    assert "\nIn: " in docstring
    assert "\nOut: " in docstring


def test_every_public_function_and_class_says_what_its_signature_cannot() -> None:
    silent = set()
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if public and not node.name.startswith("_") and not ast.get_docstring(node):  # type: ignore[union-attr,arg-type]
                silent.add(f"{relative(path)}:{node.name}")  # type: ignore[union-attr]
    assert silent == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_file_is_found_and_describes_itself(kind: str) -> None:
    package = importlib.import_module("catchment." + kind.replace("/", "."))
    files = {entry.name for entry in pkgutil.iter_modules(package.__path__)}
    plugins = list_plugins(kind)
    assert files <= set(plugins)
    assert all(plugins[name].__doc__ for name in files)


def test_nothing_imports_a_plugin() -> None:
    plugin_modules = {"catchment." + kind.replace("/", ".") for kind in KINDS}
    guilty = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            guilty |= {f"{relative(path)}: {name}" for name in names if any(name.startswith(k) for k in plugin_modules)}
    assert guilty == set()


def test_only_settings_reads_the_environment() -> None:
    readers = {relative(path) for path in FILES if "os.environ" in path.read_text() or "os.getenv" in path.read_text()}
    assert readers == {"settings.py"}


NO_TEXTS = {
    *("activate/state.py", "lake/check.py", "lake/compare.py", "lake/erase.py", "lake/merge.py", "lake/rows.py"),
    *("project/forget.py", "project/trace.py"),
}
"""They read whole tables, or choose rows by moments or partitions, or leave the choice to `lake.rows`."""


def test_rows_are_chosen_by_texts_through_lake_rows_only() -> None:
    """Arrow cannot compare the texts of files that delta-rs has merged."""
    assert {relative(path) for path in FILES if ".to_pyarrow_dataset()" in path.read_text()} <= NO_TEXTS
