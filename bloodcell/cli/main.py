"""The command line: one program, with the commands that `cli.table` lists."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, Protocol, cast

from bloodcell import __version__
from bloodcell.cli.shared.arguments import describe
from bloodcell.cli.table import COMMANDS, RETIRED_NAMES
from bloodcell.core.errors import BloodcellError

ERROR_CODE = 1
INTERRUPTED_CODE = 130


class CommandModule(Protocol):
    """What the module of a command holds.

    Attributes
    ----------
    DETAILS : str
        What its help says below the first line; may be empty.
    EXAMPLE : str
        How to call it, without the program's name.
    """

    DETAILS: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work and return the exit code; BloodcellError where it cannot be done."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words behind the program's name; default those of the process.

    Returns
    -------
    int
        0; 1 after an error, which is one line on stderr that begins with ``error:``; 130 after Ctrl-C.
        Help and usage errors leave by SystemExit instead, with 0 and 1.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal has no letters for must not stop the work.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    name = _replace_retired_name(words)
    try:
        args = build_parser(only=name).parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except BloodcellError as error:
        _print_error(" ".join(str(error).split()))
        return ERROR_CODE
    except KeyboardInterrupt:
        _print_error("stopped by the user; no output was written.")
        return INTERRUPTED_CODE
    except BrokenPipeError:  # the reader of our output has gone, as in `models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR_CODE


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Build the parser of the command line.

    Parameters
    ----------
    only : str, optional
        The one command whose module is imported, so that it gets its arguments; the others have a name and one line of
        help. Default all.

    Returns
    -------
    ArgumentParser
        It sets ``run``, the function of the command.

    Examples
    --------
    >>> build_parser(only="find").parse_args(["find", "slides", "--out", "boxes.csv"]).paths
    ['slides']
    """
    parser = _OneLineParser(
        prog="bloodcell",
        description="Find, classify and check white blood cells in stained smear images. For research and teaching. "
        "Not a medical device.",
        epilog="Errors are one line on stderr with exit code 1. More: bloodcell COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"bloodcell {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command_parser = commands.add_parser(command.name, help=command.help)
        if only in (None, command.name):
            module = cast(CommandModule, import_module(f"bloodcell.cli.{command.module}"))
            describe(command_parser, command.help, module.DETAILS, module.EXAMPLE)
            command_parser.set_defaults(run=module.run)
            module.add_arguments(command_parser)
    return parser


def _replace_retired_name(words: list[str]) -> str:
    """Put today's name of the command in the place of a former one; return it, "" where no command is named."""
    for index, word in enumerate(words):
        if not word.startswith("-"):
            words[index] = RETIRED_NAMES.get(word, word)
            return words[index]
    return ""


class _OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 1, as all others are."""

    def error(self, message: str) -> NoReturn:
        _print_error(f"{message} (see {self.prog} --help)")
        sys.exit(ERROR_CODE)


def _print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
