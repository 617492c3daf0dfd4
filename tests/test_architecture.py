"""The house plan holds: imports go one way, heavy and screen libraries stay where they belong, files stay small."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter

import pytest

from tests.places import ROOT

# From the bottom up: a room may import the rooms of the lines above its own, and its own.
LEVELS = (
    ("core",),
    ("db", "imaging"),
    ("synthetic",),
    ("datasets",),
    ("model_store",),
    ("inference", "networks"),
    ("evaluation", "explain"),
    ("training",),
    ("experiments", "model_import"),
    ("jobs", "plots", "review"),
    ("reports",),
    ("ui",),
    ("pages", "app"),
)
LEVEL_OF = {part: level for level, parts in enumerate(LEVELS) for part in parts}
BESIDE = {"cli", "__main__"}  # may import all but the screen; nothing imports them but each other

# The folders that may import Keras and TensorFlow, each of them whole. Nothing outside them imports one of their
# modules but inside a function, so that the app and the quick commands never load Keras.
KERAS_FOLDERS = {
    "bloodcell.networks.builders",
    "bloodcell.explain.network",
    "bloodcell.training.fitting",
    "bloodcell.training.detector",
    "bloodcell.training.masks",
    "bloodcell.experiments",
    "bloodcell.model_import.sandboxed",
}
KERAS_PACKAGES = ("keras", "tensorflow", "tf2onnx")
MAX_LINES = 350
# Modules may be smaller than this where one thought is that small: a kind of job, a migration, a command, and these.
SMALL_LINES = 40
SMALL_ROOMS = ("bloodcell.jobs.kinds.", "bloodcell.db.migrations.", "bloodcell.cli.")
SMALL_MODULES = {
    "bloodcell.__main__",
    "bloodcell.core.clock",
    "bloodcell.core.labels",
    "bloodcell.core.text",
    "bloodcell.datasets.labels.records",
    "bloodcell.evaluation.metrics.predictions",
    "bloodcell.imaging.boxes",
    "bloodcell.imaging.focus",
    "bloodcell.inference.onnx_session",
    "bloodcell.inference.probabilities",
    "bloodcell.jobs.model_files",
    "bloodcell.jobs.runners.local_stopper",
    "bloodcell.model_store.versions",
    "bloodcell.networks.builders.freeze",
    "bloodcell.networks.builders.scaling",
    "bloodcell.training.detector.thresholds",
    "bloodcell.training.specs.choices",
}


def source_files():
    return [*sorted((ROOT / "bloodcell").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module):
    """`bloodcell.inference.engine` -> `infer`; `pages.classify` -> `pages`."""
    names = module.split(".")
    return names[1] if names[0] == "bloodcell" and len(names) > 1 else names[0]


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(path):
    """All that a file imports, also inside functions, written out: `from a import b` gives `a.b`."""
    return names_of(ast.walk(tree(path)))


def names_of(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" if node.module else name.name for name in node.names)


@cache
def import_graph():
    """Module -> the project's modules that it imports."""
    files = {module_name(path): path for path in source_files()}
    del files["bloodcell"]  # the public face: it names modules of every room, and imports each when it is first used
    graph = {}
    for module, path in files.items():
        found = set()
        for name in imported_names(path):
            # `from bloodcell.ui import state` names a module, `from bloodcell.ui.shared.state import who` something in one.
            target = name if name in files else name.rpartition(".")[0]
            if target in files and target != module:
                found.add(target)
        graph[module] = found
    return graph


def test_every_import_of_ours_is_there():
    """Also those inside functions, which neither mypy nor an import of the module would miss."""
    files = {module_name(path) for path in source_files()}
    names = {path: names_of_imports(path) for path in source_files()}
    missing = {
        (module_name(path), module)
        for path, modules in names.items()
        for module in modules
        if module.partition(".")[0] in ("bloodcell", "pages") and module not in files
    }
    assert missing == set()


def names_of_imports(path):
    """The modules that a file imports from, and the packages; `from a.b import c` gives a.b, or a.b.c where that is one."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_part_has_its_place():
    parts = {part_of(module) for module in import_graph()} - {"bloodcell"}
    assert parts <= LEVEL_OF.keys() | BESIDE


def test_imports_go_one_way():
    upward = {
        (module, target)
        for module, targets in import_graph().items()
        if part_of(module) in LEVEL_OF
        for target in targets
        if LEVEL_OF.get(part_of(target), len(LEVELS)) > LEVEL_OF[part_of(module)]
    }
    assert upward == set()


def test_parts_of_one_level_do_not_import_each_other():
    sideways = {
        (module, target)
        for module, targets in import_graph().items()
        for target in targets
        if part_of(module) != part_of(target)
        and part_of(module) in LEVEL_OF
        and LEVEL_OF.get(part_of(target)) == LEVEL_OF[part_of(module)]
    }
    assert sideways == set()


def test_no_import_goes_in_a_circle():
    assert list(TopologicalSorter(import_graph()).static_order())  # CycleError names the circle


def test_the_command_line_knows_no_screen():
    targets = {t for module, found in import_graph().items() if part_of(module) in BESIDE for t in found}
    assert not {target for target in targets if part_of(target) in ("ui", "pages", "app")}


def test_only_the_screen_imports_streamlit():
    users = {module_name(path) for path in source_files() if imports_package(path, "streamlit")}
    assert {part_of(module) for module in users} <= {"ui", "pages", "app"}


@pytest.mark.parametrize("package", KERAS_PACKAGES)
def test_only_the_keras_folders_import(package):
    users = {module_name(path) for path in source_files() if imports_package(path, package)}
    assert {module.rpartition(".")[0] for module in users} <= KERAS_FOLDERS


def test_the_keras_folders_are_entered_inside_functions_only():
    def folder(module):
        return module.rpartition(".")[0]

    files = {module_name(path): path for path in source_files()}
    entered = set()
    for module, path in files.items():
        if folder(module) in KERAS_FOLDERS:
            continue
        for name in names_of(node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)):
            target = name if name in files else name.rpartition(".")[0]
            if target in files and folder(target) in KERAS_FOLDERS:
                entered.add((module, target))
    assert entered == set()


def imports_package(path, package):
    return any(name.split(".")[0] == package for name in imported_names(path))


@pytest.mark.process
def test_opening_the_doors_loads_no_training_library():
    """Every module outside the Keras folders is imported; what is imported inside functions stays out."""
    ours = [
        module
        for module in import_graph()
        if module.startswith("bloodcell.")
        and module.rpartition(".")[0] not in KERAS_FOLDERS
        and ".migrations" not in module
        and not module.endswith(("__main__", "ray_stopper", "local_stopper"))
    ]
    heavy = "{'keras', 'tensorflow', 'tf2onnx', 'onnx'} & sys.modules.keys()"
    code = f"import sys, {', '.join(ours)}\nsys.exit(str({heavy}) if {heavy} else 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def modules_of_the_package():
    return [path for path in source_files() if path.is_relative_to(ROOT / "bloodcell") and path.name != "__init__.py"]


def count_lines(path):
    return path.read_text(encoding="utf-8").count("\n")


def test_small_modules_are_those_of_one_small_thought():
    small = {module_name(path) for path in modules_of_the_package() if count_lines(path) < SMALL_LINES}
    assert {module for module in small if not module.startswith(SMALL_ROOMS)} <= SMALL_MODULES


def test_modules_have_a_size_that_one_reads_at_a_sitting():
    """Their mean was 111 lines before the re-house."""
    lines = [count_lines(path) for path in modules_of_the_package()]
    assert sum(lines) / len(lines) > 111


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_a_file_keeps_the_habits(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    if path.name == "__init__.py":
        assert text == "" or module_name(path) == "bloodcell"
        return
    assert ast.get_docstring(tree(path)), "a module says in its first line what it is"
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]
    if module_name(path) != "bloodcell.cli.main":
        assert not [node.lineno for node in ast.walk(tree(path)) if is_print(node)]


def is_print(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
