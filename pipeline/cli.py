"""The command line's entry: finds the subcommand, and turns every error into one line and an exit code.

A subcommand is a module in ``pipeline.commands`` with a click command named ``command``. Modules are imported
only when called, so that ``lumabraid --help`` does not wait for torch.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import click

from pipeline.interrupt import INTERRUPTED, Signals, ended_by
from stages.errors import LumabraidError

COMMANDS: Final[dict[str, str]] = {
    "demo": "Fuse the packaged clip and show the result beside its input.",
    "video": "Fuse a video of alternating exposures into one HDR-like video.",
    "fuse": "Fuse two pictures, or two folders of pictures.",
    "live": "Fuse what a camera sees, live, and show it on a page.",
    "run": "Run a pipeline described in a YAML file or preset.",
    "subscribe": "Receive a published stream: count, measure or save its frames.",
    "replay": "Publish a recorded video at its own pace.",
    "keys": "Make the keys that protect a published stream.",
    "simulate": "Film an HDR panorama with a simulated bracketing camera.",
    "train": "Train the network.",
    "ablate": "Train without each part of the network and compare.",
    "evaluate": "Measure how well pairs are fused, beside the alternatives.",
    "bench": "Measure how fast this machine fuses, beside the alternatives.",
    "models": "List the packaged networks.",
    "config": "Show, check and describe configurations.",
    "doctor": "Try what this machine can do: devices, codecs, cameras.",
}
"""Short help by name, in the order of ``lumabraid --help``."""


@dataclass
class Invocation:
    """What the options before the subcommand said."""

    debug: bool = False


class _LazyGroup(click.Group):
    """A group whose subcommands are modules, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise click.exceptions.NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        command: click.Command = import_module(f"pipeline.commands.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try `lumabraid demo`, then `lumabraid video clip.mp4 -o fused.mp4`.",
)
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.version_option(package_name="lumabraid", message="lumabraid %(version)s")
@click.pass_obj
def cli(invocation: Invocation, debug: bool) -> None:
    """Weave video whose frames alternate between a short and a long exposure into one HDR-like picture."""
    invocation.debug = debug


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 for a failure, 2 for a user's mistake, 130 for an interrupt.

    Without ``arguments`` it is the whole process: if a stage that hangs is left behind, it ends here.
    """
    invocation = Invocation()
    _open_closed_streams()
    logging.basicConfig(handlers=[_LogLines()], force=True)
    logging.getLogger("stages").setLevel(logging.INFO)
    signals = Signals()
    try:
        with ended_by(signals):
            exit_code = _run(arguments, invocation)
    except (Exception, KeyboardInterrupt) as error:
        if invocation.debug:
            traceback.print_exc()
        message, exit_code = _explain(error, signals)
        print("lumabraid:", " ".join(message.splitlines()), file=sys.stderr)
    if arguments is None and any(thread.daemon for thread in threading.enumerate()):
        sys.stdout.flush()
        os._exit(exit_code)
    return exit_code


def _open_closed_streams() -> None:
    """Where a parent process closed our output, write to nowhere: Python leaves None in its place.

    The descriptor is taken too, so that no file we open becomes what a library takes for standard output.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - kept open


def _run(arguments: Sequence[str] | None, invocation: Invocation) -> int:
    """Let click find and call the subcommand."""
    try:
        result = cli.main(args=arguments, prog_name="lumabraid", obj=invocation, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has left. Python flushes once more on its way out, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result if isinstance(result, int) else 0


class _LogLines(logging.Handler):
    """What stages log, in lines like those of errors; on whatever stderr is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        print(f"lumabraid: {level}{record.getMessage()}", file=sys.stderr)


def _explain(error: BaseException, signals: Signals) -> tuple[str, int]:
    """What to tell the user, and the exit code."""
    if signals.came:
        # What it interrupted may have made another error of it: many imports do.
        return "interrupted", INTERRUPTED
    match error:
        case click.UsageError(ctx=click.Context() as context):
            said = error.format_message()
            stop = "" if said.endswith((".", "?")) else "."
            return f"error: {said}{stop} See: {context.command_path} --help", 2
        case click.ClickException():
            return f"error: {error.format_message()}", 2
        case click.Abort():
            return str(error) or "interrupted", INTERRUPTED
        case LumabraidError():
            return f"error: {error}", error.exit_code
        case OSError(strerror=str() as reason):
            where = f": {error.filename}" if error.filename else ""
            return f"error: {reason}{where}", 1
        case _:
            return (
                f"error: unexpected {type(error).__name__}: {error}; "
                "`lumabraid --debug ...` shows where, please report it",
                1,
            )
