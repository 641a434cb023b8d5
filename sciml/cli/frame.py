"""The frame of the command line: the list of verbs, lazy loading, and the exit codes.

A verb is a module with a Typer application called ``app``, made by :func:`verb_app`, and a row in :data:`VERBS`.
A verb raises; the frame turns what was raised into one sentence on standard error and an exit code.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from sciml.atomic import is_full
from sciml.cli.streams import complain, open_streams, printable, say, show_notices, silence
from sciml.errors import DivergenceError, PoorFitError, SciMLError
from sciml.memory import shortage

# Verb -> (module, one line of help), in the order of `sciml --help`. The module is imported only when its verb is used.
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("sciml.cli.demo", "The guided tour: each method beside its classical competitors, in one report."),
    "precondition": ("sciml.cli.precondition", "Solve a large Poisson system from a file."),
    "solve": ("sciml.cli.solve", "Solve the case of a config without data, or resume a run."),
    "train": ("sciml.cli.train", "Train the task of a config, or resume a run."),
    "evaluate": ("sciml.cli.evaluate", "Evaluate a trained task on held-out data."),
    "predict": ("sciml.cli.predict", "Apply a trained task to a file."),
    "export": ("sciml.cli.export", "Export the weights of a run for publication."),
    "cite": ("sciml.cli.cite", "Print the BibTeX entries of the methods that a config uses."),
    "list": ("sciml.cli.list", "List methods, configs, weights, cases, data sets and benchmarks."),
    "data": ("sciml.cli.data", "Generate, inspect, check and convert data sets."),
    "mesh": ("sciml.cli.mesh", "Inspect and convert mesh files, and make standard shapes."),
    "bench": ("sciml.cli.bench", "Measure our solvers beside the best classical ones."),
}

WrongWords = typer.BadParameter.__bases__[0]  # of the click that Typer holds inside
FAILED, WRONG_USAGE = 1, 2
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143  # 128 and the number of the signal, as a shell has it


class Terminated(KeyboardInterrupt):
    """Exception that is raised when SIGTERM arrives.

    A child of KeyboardInterrupt, so that code which saves its work on Ctrl-C saves it on SIGTERM as well.
    """


def verb_app(help_text: str) -> typer.Typer:
    """Return an empty Typer application with the settings that all verbs share.

    Parameters
    ----------
    help_text : str
        What the verb does, one or a few sentences; shown by ``sciml VERB --help``.
    """
    return typer.Typer(
        help=help_text,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


class VerbGroup(TyperGroup):
    """The verbs of :data:`VERBS`: listed without being imported, imported when used."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Return the names of the verbs in the order of the help page."""
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:
        """Import and return the verb, or None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = typer.main.get_command(import_module(VERBS[cmd_name][0]).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:
        """Write the list of verbs from their rows, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in VERBS.items()])

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the verb; what it raises on purpose becomes one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Exception) as error:
            verdict = explain(error)
            if verdict is None:
                if isinstance(error, WrongWords):  # whose sentence is printed by Typer
                    error.message = printable(error.message)
                raise
            sentence, code = verdict
            complain(sentence)
            raise typer.Exit(code) from None


def explain(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence and the exit code of an error that is not a defect of sciml, None for one that may be."""
    if (full := full_disk(error)) is not None:
        return full
    if isinstance(error, BrokenPipeError):  # the reader has gone, as in `sciml ... | head`
        silence()
        return "", BROKEN_PIPE
    if isinstance(error, Terminated):
        return " ".join(["terminated", *map(str, error.args)]), TERMINATED
    if isinstance(error, KeyboardInterrupt):
        return " ".join(["interrupted", *map(str, error.args)]), INTERRUPTED
    if isinstance(error, SciMLError):
        return str(error), FAILED if isinstance(error, DivergenceError | PoorFitError) else WRONG_USAGE
    if (lack := shortage(error)) is not None:
        return f"this {lack}; choose a smaller problem, network or batch", WRONG_USAGE
    named = explain_file(error) if isinstance(error, OSError) else None
    return named or explain_own_code(error)


def explain_own_code(error: BaseException) -> tuple[str, int] | None:
    """Return the sentence and the exit code of an exception in a file given by ``--module``, None for any other."""
    loader = sys.modules.get("sciml.user_modules")  # where it has not been imported, no such file has been either
    sentence = None if loader is None else loader.blame(error)
    return None if sentence is None else (sentence, FAILED)


def full_disk(error: BaseException | None) -> tuple[str, int] | None:
    """Return the sentence and the exit code of a full disk, also where an error was made of it; None if it was not."""
    while error is not None and not is_full(error):
        error = error.__cause__
    if not isinstance(error, OSError):
        return None
    path = error.filename or "the output"
    reason = {errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the largest size of a file is reached"}
    full = reason.get(error.errno or 0, "the disk is full")
    return f"{full}, {path} could not be written; free some space or write elsewhere", FAILED


def explain_file(error: OSError) -> tuple[str, int] | None:
    """Return the sentence and the exit code of a named path that cannot be used, None for any other error."""
    path = error.filename
    if path is None and "temporary directory" in (error.strerror or ""):
        return "no folder for temporary files can be written; free some space, or set TMPDIR to another folder", FAILED
    if path is None:
        return None
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist; check the name", WRONG_USAGE
    if isinstance(error, PermissionError):
        return f"{path} may not be used by this account; change its permissions or choose another path", WRONG_USAGE
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder, expected a file", WRONG_USAGE
    if isinstance(error, NotADirectoryError):
        return f"{path} leads through a file, expected folders; check the path", WRONG_USAGE
    reason = (error.strerror or type(error).__name__).lower()
    return f"{path} cannot be used: {reason}; choose another path", WRONG_USAGE


def print_version(wanted: bool) -> None:
    """Print the version and exit, if it is requested."""
    if wanted:
        from sciml import __version__

        say(f"sciml {__version__}")
        raise typer.Exit


application = typer.Typer(cls=VerbGroup, add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@application.callback(context_settings={"help_option_names": ["-h", "--help"]})
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Neural methods for partial differential equations beside the best classical solvers."""


def raise_terminated(number: int, frame: FrameType | None) -> None:
    """Turn SIGTERM into an exception, so that files are closed and work is saved on the way out."""
    raise Terminated


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``sciml`` with these words (by default those of the process) and exit with its code."""
    open_streams()
    show_notices()
    signal.signal(signal.SIGTERM, raise_terminated)
    try:
        os.getcwd()
    except FileNotFoundError:
        complain("the working directory does not exist any more; change into another one")
        sys.exit(WRONG_USAGE)
    stream = sys.stdout
    try:
        typer.main.get_command(application)(arguments, prog_name="sciml")
    except SystemExit as leaving:
        code = leaving.code
    else:
        code = 0
    # Typer wraps the stream when the reader of a help page or of an error of usage has gone.
    sys.exit(_flushed(code if sys.stdout is stream else BROKEN_PIPE))


def _flushed(code: str | int | None) -> str | int | None:
    """Write what standard output still holds; return the exit code, another one if that fails."""
    try:
        sys.stdout.flush()
    except OSError as error:
        verdict = explain(error) or ("standard output cannot be written", FAILED)
        silence()
        if not code:
            complain(verdict[0])
            return verdict[1]
    return code
