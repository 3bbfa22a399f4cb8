"""Entry point of ``reinfer``: finds the command's module and turns errors into one line and an exit code.

Each command is a module of this package with ``run(arguments: list[str]) -> int``, listed in ``COMMANDS``.
Exit codes: 0 done, 1 something failed and was reported, 2 the user can mend it (one line on standard error), 75 stopped
on request and resumable.
"""

import importlib
import os
import sys

import reinfer
from reinfer.runs.config import nearest
from reinfer.runs.errors import ConfigError, ReinferError
from reinfer.runs.signals import Preempted

#: Command -> what it does, in the order of the help text.
COMMANDS = {
    "train": "train a stage from nothing: toy, process, low, stride, high or scratch",
    "resume": "continue a run that was stopped or died",
    "eval": "how good a model is: toy, low, transfer, scratch, change, robustness or process",
    "transfer": "a robot whose task is unknown, moved by the toy's agent",
    "compare": "what reuse saves against meta-training on the robot itself",
    "reproduce": "everything from nothing to the report; the same command again goes on where it stopped",
    "sweep": "many trainings: over seeds, bodies or any other settings, on this machine or a cluster",
    "demo": "the shipped models at work on a robot, ending in a report",
    "plot": "figures: learning curves, latent map, tracks, belief, strides, contests compared",
    "view": "a robot at work, live in the browser: change its task while it runs",
    "video": "watch rollouts, alone or side by side",
    "report": "runs, models and results as one HTML file",
    "info": "what a run or a model is, and where it comes from",
    "doctor": "what this machine offers: versions, cores, rendering, shipped models",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return dispatch(arguments)
    except ReinferError as error:
        print(f"reinfer: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except Preempted as stopped:
        print(f"reinfer: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away (``... | head``); Python must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        # A disk, a folder or a file that refuses what is asked of it is for the user to mend, wherever it shows.
        told = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
        print(f"reinfer: error: {' '.join(told.split())}", file=sys.stderr)
        return 2


def dispatch(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are raised."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        print(f"reinfer {reinfer.__version__}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        raise ConfigError(f"unknown command {command!r}; {nearest(command, COMMANDS)}")
    return importlib.import_module(f"reinfer.cli.{command}").run(rest)


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help}" for name, help in COMMANDS.items()]
    return "\n".join(
        [
            "usage: reinfer COMMAND [OPTIONS]",
            "",
            "Task inference learned once on a toy, reused on robots.",
            "",
            "commands:",
            *lines,
            "",
            "reinfer COMMAND --help tells the options of a command; reinfer --version the version.",
        ]
    )


if __name__ == "__main__":
    # Records name the command that does the same, not this file.
    sys.argv[0] = "reinfer"
    sys.exit(main())
