"""The command `data`: public datasets, listed and downloaded."""

from bloodcell.cli import main
from bloodcell.cli.datasets import public_data
from bloodcell.datasets.public.public_sets import PUBLIC_SETS


def run(*args):
    return main.main([str(arg) for arg in args])


def error_line(capsys):
    """The one line of an error."""
    lines = [line for line in capsys.readouterr().err.split("\n") if line and "it/s" not in line and "%" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def test_data_list_names_source_and_licence_of_every_set(capsys):
    assert run("data", "list") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "SIZE", "LICENCE", "WHAT", "SOURCE"]
    for line, public in zip(lines, PUBLIC_SETS, strict=True):
        assert line.startswith(f"{public.name} ")
        assert public.licence in line
        assert line.endswith(public.source)


def test_data_get_prints_the_folder_alone_on_stdout(monkeypatch, capsys, tmp_path):
    def fetch(name, _settings, on_progress, on_message):
        on_progress(50, 100)
        on_progress(100, 100)
        on_message("The checksum is right.")
        return tmp_path / name

    monkeypatch.setattr(public_data, "download_public_set", fetch)
    assert run("data", "get", "bccd") == 0
    stdout, stderr = capsys.readouterr()
    assert stdout == f"{tmp_path / 'bccd'}\n"
    assert "100/100" in stderr
    assert "The checksum is right." in stderr


def test_data_get_of_an_unknown_set(capsys):
    assert run("data", "get", "nosuch") == 1
    assert "There is no public set 'nosuch'. Available: bccd, " in error_line(capsys)
