"""The house plan holds: imports go one way, heavy and screen libraries stay where they belong, files stay small."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the bottom up: a part may import parts of the lines above its own, and its own.
LEVELS = (
    ("classes", "errors", "settings"),
    ("jsonspec",),
    ("imaging", "store"),
    ("data", "runs"),
    ("infer",),
    ("evaluate", "explain"),
    ("training", "zoo"),
    ("jobs", "plots", "review"),
    ("ui",),
    ("pages", "app"),
)
LEVEL_OF = {part: level for level, parts in enumerate(LEVELS) for part in parts}
BESIDE = {"cli", "commands", "__main__"}  # may import all but the screen; nothing imports them but each other

KERAS_PARTS = {"zoo", "training"}
KERAS_FREE_IN_THEM = {
    "bloodcell.zoo.registry",
    "bloodcell.zoo.settings",
    "bloodcell.zoo.table",
    "bloodcell.training.adapt_cells",
    "bloodcell.training.adapt_report",
    "bloodcell.training.adapt_spec",
    "bloodcell.training.mask_samples",
    "bloodcell.training.explain_spec",
    "bloodcell.training.explaining",
    "bloodcell.training.masks_spec",
    "bloodcell.training.limited",
    "bloodcell.training.limited_child",
    "bloodcell.training.limited_files",
    "bloodcell.training.load_packed",
    "bloodcell.training.load_spec",
    "bloodcell.training.search_spec",
    "bloodcell.training.spec",
    "bloodcell.training.trials_spec",
    "bloodcell.training.cutting",
    "bloodcell.training.read_results",
    "bloodcell.training.results",
    "bloodcell.training.samples",
    "bloodcell.training.recipes",
    "bloodcell.training.served",
    "bloodcell.training.split",
    "bloodcell.training.control",
    "bloodcell.training.history",
}
DOORS = (
    "bloodcell.cli",
    "bloodcell.commands.adapt",
    "bloodcell.commands.experiments",
    "bloodcell.commands.explain",
    "bloodcell.commands.jobs",
    "bloodcell.commands.export_model",
    "bloodcell.commands.load_model",
    "bloodcell.commands.teach_masks",
    "bloodcell.infer.pipeline",
    "bloodcell.jobs.experiment_jobs",
    "bloodcell.jobs.load_job",
    "bloodcell.jobs.explain_job",
    "bloodcell.jobs.local",
    "bloodcell.jobs.masks_job",
    "bloodcell.jobs.ray_runner",
    "bloodcell.jobs.train_job",
    "bloodcell.jobs.worker",
    "bloodcell.review.export",
    "bloodcell.evaluate.dataset",
)
MAX_LINES = 350


def source_files():
    return [*sorted((ROOT / "bloodcell").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module):
    """`bloodcell.infer.engine` -> `infer`; `pages.classify` -> `pages`."""
    names = module.split(".")
    return names[1] if names[0] == "bloodcell" and len(names) > 1 else names[0]


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(path):
    """All that a file imports, also inside functions, written out: `from a import b` gives `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" if node.module else name.name for name in node.names)


@cache
def import_graph():
    """Module -> the project's modules that it imports."""
    files = {module_name(path): path for path in source_files()}
    graph = {}
    for module, path in files.items():
        found = set()
        for name in imported_names(path):
            # `from bloodcell.ui import state` names a module, `from bloodcell.ui.state import who` something in one.
            target = name if name in files else name.rpartition(".")[0]
            if target in files and target != module:
                found.add(target)
        graph[module] = found
    return graph


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
        # The names of classes, the errors and the settings are one floor; training builds what zoo describes.
        and (part_of(module), part_of(target)) != ("training", "zoo")
        and LEVEL_OF[part_of(module)] > 0
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


@pytest.mark.parametrize("package", ["keras", "tensorflow", "tf2onnx"])
def test_only_zoo_and_training_import(package):
    users = {module_name(path) for path in source_files() if imports_package(path, package)}
    assert {part_of(module) for module in users} <= KERAS_PARTS
    assert not users & KERAS_FREE_IN_THEM


def imports_package(path, package):
    return any(name.split(".")[0] == package for name in imported_names(path))


def test_opening_the_doors_loads_no_training_library():
    ui = [module for module in import_graph() if module.startswith("bloodcell.ui")]
    heavy = "{'keras', 'tensorflow', 'tf2onnx', 'onnx'} & sys.modules.keys()"
    code = f"import sys, {', '.join([*DOORS, *ui])}\nsys.exit(str({heavy}) if {heavy} else 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", source_files(), ids=module_name)
def test_a_file_keeps_the_habits(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    if path.name == "__init__.py":
        assert text == ""
        return
    assert ast.get_docstring(tree(path)), "a module says in its first line what it is"
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]
    if module_name(path) != "bloodcell.cli":
        assert not [node.lineno for node in ast.walk(tree(path)) if is_print(node)]


def is_print(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
