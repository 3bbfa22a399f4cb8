"""``python -m reinfer.cli.trial COMMAND...``: the command ``reinfer COMMAND...`` as a job of a ``Supervisor``."""

import sys

from reinfer.runs.processes import end_with_starter


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    end_with_starter()
    sys.argv = ["reinfer", *arguments]
    from reinfer.cli.main import main as reinfer

    return reinfer(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
