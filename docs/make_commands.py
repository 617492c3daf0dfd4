"""Write docs/commands.md from the parser of the command line; with ``--check``, say whether it is up to date."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bloodcell.cli.main import build_parser
from bloodcell.cli.table import COMMANDS

COMMANDS_FILE = Path(__file__).with_name("commands.md")
HEAD = """\
# Commands

Written by `make docs` from the program's own help; do not edit. `bloodcell COMMAND --help` says the same on the terminal. In a
checkout, `.venv/bin/python -m bloodcell` is the same program.

The result of a command goes to a file or to stdout; everything else goes to stderr. Errors are one line on stderr with exit
code 1.

| Command | What it does |
| --- | --- |
"""


def main() -> int:
    """Write the document, or check it.

    Returns
    -------
    int
        1 if ``--check`` finds another text than the parser gives now, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if the document is outdated")
    args = parser.parse_args()
    text = render_commands()
    if not args.check:
        COMMANDS_FILE.write_text(text, encoding="utf-8")
        return 0
    if COMMANDS_FILE.is_file() and COMMANDS_FILE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/commands.md is outdated: run `make docs`.\n")
    return 1


def render_commands() -> str:
    """Return the whole document as Markdown."""
    parsers = find_subparsers(build_parser())
    rows = [f"| [`{command.name}`](#{command.name}) | {command.help} |" for command in COMMANDS]
    sections = [
        line
        for command in COMMANDS
        for line in (
            f"\n## {command.name}\n",
            *render_parser(parsers[command.name]),
            *render_actions(parsers[command.name]),
        )
    ]
    return HEAD + "\n".join([*rows, *sections]) + "\n"


def render_actions(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Give the lines on the actions of a command, such as ``get`` of ``data``."""
    for name, action_parser in find_subparsers(parser).items():
        yield f"\n### {parser.prog.removeprefix('bloodcell ')} {name}\n"
        yield from render_parser(action_parser)


def render_parser(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Give the lines on one command or action: what it does, its example and its arguments."""
    yield f"{parser.description}\n"
    yield f"    {(parser.epilog or '').removeprefix('Example: ')}"
    rows = [
        f"| {_format_name(action)} | {_format_help(action, parser)} |"
        for action in parser._actions
        if action.help is not argparse.SUPPRESS
        and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    if rows:
        yield "\n| Argument | Meaning |\n| --- | --- |"
        yield from rows


def find_subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of a parser's commands or actions by name; empty if it has none."""
    return {
        name: choice
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, choice in action.choices.items()
    }


def _format_name(action: argparse.Action) -> str:
    value = action.metavar or ("\\|".join(action.choices) if action.choices else action.dest.upper())
    if not action.option_strings:
        return f"`{value} ...`" if action.nargs == "+" else f"`[{value}]`" if action.nargs == "?" else f"`{value}`"
    name = action.option_strings[0] if action.nargs == 0 else f"{action.option_strings[0]} {value}"
    return f"`{name}`"


def _format_help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    words = (action.help or "") % {"default": action.default, "prog": parser.prog}
    required = " (required)" if action.required and action.option_strings else ""
    return words.replace("|", "\\|") + required


if __name__ == "__main__":
    sys.exit(main())
