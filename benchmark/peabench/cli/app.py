"""The `peabench` command: its sub-commands, those of plug-ins, and what users see of errors."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from peabench.cli.certify import certify
from peabench.cli.check import check
from peabench.cli.download import download
from peabench.cli.output import note
from peabench.cli.publish import publish
from peabench.cli.reveal import reveal
from peabench.cli.run import run
from peabench.cli.scorers import scorers
from peabench.cli.seal import seal
from peabench.cli.show import show
from peabench.cli.tasks import tasks
from peabench.cli.train import train
from peabench.errors import PeabenchError
from peabench.registry import COMMANDS, load, registered


class ErrorsInOneSentence(TyperGroup):
    """Turns errors that a user can mend into one sentence and exit code 2, unless `--debug` asks for the traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except (PeabenchError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            note(f"Error: {' '.join(str(error).split())}")
            raise typer.Exit(2) from error


def build_app() -> typer.Typer:
    """The application with the commands of the core and of every plug-in that can be loaded."""
    # Rich help would triple the start-up time of `--help`; see CONTRIBUTING.
    app = typer.Typer(
        cls=ErrorsInOneSentence, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(peabench)
    for command in (tasks, show, scorers, check, run, certify, train, download, publish, seal, reveal):
        app.command()(command)
    for point in registered(COMMANDS):
        try:
            plug_in = load(point)
        except PeabenchError as error:
            note(f"Warning: {error}")
            continue
        if isinstance(plug_in, typer.Typer):
            app.add_typer(plug_in, name=point.name)
        elif callable(plug_in):
            app.command(point.name)(plug_in)
    return app


def peabench(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Score interpretability methods on small networks whose mechanism is known and machine-checked."""


def main() -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = arguments[:end]
    if "--debug" in options:  # a global option may stand anywhere
        arguments = ["--debug", *(option for option in options if option != "--debug"), *arguments[end:]]
    build_app()(args=arguments, prog_name="peabench")
