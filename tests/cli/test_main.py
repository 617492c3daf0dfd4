"""The command line as a whole: its commands, their help, what is imported, and how it ends."""

import subprocess
import sys

import pytest

import bloodcell
from bloodcell.cli import main
from bloodcell.cli.table import COMMANDS, RETIRED_NAMES
from bloodcell.core import installation
from tests.places import ROOT


def run(*args):
    return main.main([str(arg) for arg in args])


def error_line(capsys):
    """The one line of an error."""
    lines = [line for line in capsys.readouterr().err.split("\n") if line and "it/s" not in line and "%" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "the following arguments are required: COMMAND (see bloodcell --help)"),
        (["classify", "x.jpg"], "the following arguments are required: --out (see bloodcell classify --help)"),
        (["find", "--out", "x.csv"], "the following arguments are required: PATH (see bloodcell find --help)"),
        (["nosuch"], "invalid choice: 'nosuch'"),
        (["data", "get"], "the following arguments are required: NAME"),
    ],
)
def test_usage_errors_are_one_line_with_code_1(capsys, args, said):
    with pytest.raises(SystemExit) as stopped:
        main.main(args)
    assert stopped.value.code == 1
    assert said in error_line(capsys)


def all_commands(parser, prefix=()):
    """Every command with its parser, sub-commands included."""
    for action in parser._actions:
        for name, below in action.choices.items() if isinstance(getattr(action, "choices", None), dict) else ():
            yield (*prefix, name), below
            yield from all_commands(below, (*prefix, name))


@pytest.mark.parametrize("command", [" ".join(words) for words, _ in all_commands(main.build_parser())])
def test_every_command_has_help_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main.main([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert f"Example: bloodcell {command.split()[0]}" in capsys.readouterr().out


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"bloodcell {bloodcell.__version__}\n"


@pytest.mark.process
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_no_command(argument):
    code = (
        "import sys; from bloodcell.cli.main import main\n"
        f"try: main([{argument!r}])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'tqdm', 'sqlalchemy'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.endswith("[]\n")


@pytest.mark.process
def test_a_command_imports_its_own_module_only():
    code = (
        "import sys; from bloodcell.cli.main import build_parser; build_parser(only='models')\n"
        "print([name for name in sys.modules if name.startswith('bloodcell.cli.') and name.count('.') == 3])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "bloodcell.cli.models.list_models" in answer.stdout
    assert "classify" not in answer.stdout


def test_every_module_of_a_command_stands_in_the_table_once():
    folder = ROOT / "bloodcell" / "cli"
    modules = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "shared"
    }
    assert sorted(command.module for command in COMMANDS) == sorted(modules - {"main", "table"})


@pytest.mark.parametrize(("former", "today"), RETIRED_NAMES.items())
def test_former_names_of_commands_work_and_are_not_shown(capsys, former, today):
    for words in (["--help"], [former, "--help"]):
        with pytest.raises(SystemExit) as stopped:
            main.main(words)
        assert stopped.value.code == 0
    listed, own = capsys.readouterr().out.split("usage: bloodcell ")[1:]
    assert former not in listed
    assert own.startswith(f"{today} ")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["adapt", "m", "c", "--out", "o"], "held_out", 0.3),
        (["adapt", "m", "c", "--out", "o", "--held-out", "0.2"], "held_out", 0.2),
        (["adapt", "m", "c", "--out", "o", "--held", "0.2"], "held_out", 0.2),
        (["explain", "m", "i", "--out", "o"], "max_cells", 64),
        (["explain", "m", "i", "--out", "o", "--max-cells", "8"], "max_cells", 8),
        (["explain", "m", "i", "--out", "o", "--most", "8"], "max_cells", 8),
    ],
)
def test_former_names_of_options_work_and_are_not_shown(words, name, value):
    parser = main.build_parser(only=words[0])
    assert getattr(parser.parse_args(words), name) == value
    ((_, below),) = [item for item in all_commands(parser) if item[0] == (words[0],)]
    assert not {"--held", "--most"} & set(below.format_help().split())


@pytest.mark.process
def test_nothing_heavy_is_imported():
    code = (
        "import sys; import bloodcell.cli.main;"
        "from bloodcell.cli.models import classify, find, list_models;from bloodcell.cli.datasets import public_data;"
        "print([name for name in ('streamlit', 'tensorflow', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout == "[]\n"


@pytest.mark.process
def test_a_closed_pipe_is_no_traceback():
    code = "import sys; from bloodcell.cli.main import main; sys.exit(main(['data', 'list']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as child:
        child.stdout.close()
        said = child.stderr.read()
        assert child.wait() == 1
    assert said == b""


@pytest.mark.parametrize(
    ("words", "work"),
    [
        (["train", "{specs}/wbc4.json", "--data", "{here}", "--out", "{here}/run"], "Training"),
        (["trials", "{specs}/train-only.json", "--data", "{here}", "--out", "{here}/run"], "Training"),
        (["kfold", "{specs}/train-only.json", "--data", "{here}", "--out", "{here}/run"], "Training"),
        (["search", "{specs}/search-small.json", "--data", "{here}", "--out", "{here}/run"], "Training"),
        (["train-masks", "{specs}/unet-wbc-masks.json", "--data", "{here}", "--out", "{here}/run"], "Training"),
        (["reproduce", "cnn", "--data", "{here}", "--out", "{here}/runs"], "Training"),
        (["load-model", "{here}/net.keras", "--classes", "A,B"], "Loading a Keras model"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_without_its_packages_says_what_to_install(tmp_path, monkeypatch, capsys, words, work):
    monkeypatch.setattr(installation, "find_spec", lambda _name: None)
    (tmp_path / "net.keras").write_bytes(b"")
    assert run(*(word.format(specs=ROOT / "specs", here=tmp_path) for word in words)) == 1
    message = f"error: {work} needs more packages: pip install 'bloodcell[train]'."
    assert capsys.readouterr().err.splitlines()[-1] == message
    assert not (tmp_path / "run").exists()
