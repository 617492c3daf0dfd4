"""How one command is written down on the command line."""

import argparse
from typing import Any


def add_command(
    commands: Any,
    name: str,
    help_text: str,
    example: str,
    module: str = "",
    details: str = "",
    **defaults: str,
) -> argparse.ArgumentParser:
    """Add one command; `module` of bloodcell.commands runs it, by default the one of its name."""
    description = f"{help_text[0].upper()}{help_text[1:]}. {details}".strip()
    parser = commands.add_parser(
        name, help=help_text, description=description, epilog=f"Example: python -m bloodcell {example}"
    )
    parser.set_defaults(module=module or name, **defaults)
    return parser
