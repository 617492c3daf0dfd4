"""The command `models`: the models in the model library."""

from types import SimpleNamespace

from bloodcell.cli import main
from bloodcell.cli.models import list_models


def run(*args):
    return main.main([str(arg) for arg in args])


def test_models(monkeypatch, capsys):
    models = [
        SimpleNamespace(name="wbc4", class_names=("A", "B"), sha256="c0ffee" * 8, title="Four", folder="/m/wbc4"),
        SimpleNamespace(name="x", class_names=("A",), sha256="0" * 64, title="X\x1b[31m", folder="/m/x"),
    ]
    monkeypatch.setattr(list_models, "list_models", lambda _settings: models)
    assert run("models") == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME  CLASSES  SHA256        TITLE   FOLDER",
        "wbc4  A,B      c0ffeec0ffee  Four    /m/wbc4",
        "x     A        000000000000  X\ufffd[31m  /m/x",
    ]


def test_models_of_an_empty_library(monkeypatch, capsys):
    monkeypatch.setattr(list_models, "list_models", lambda _settings: [])
    assert run("models") == 0
    assert "There is no model yet, neither in" in capsys.readouterr().err
