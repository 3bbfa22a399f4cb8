"""Tables beside runs (CSV) that may have been damaged, or whose last row may be just being written."""

import csv
import io
from pathlib import Path

from reinfer.runs.errors import ArtifactError


def read_rows(path: Path, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The whole rows of the table at ``path``, by column.

    Raises ArtifactError, led by the path, if it cannot be read, is not a table or lacks one of ``columns``.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        reader = csv.DictReader(io.StringIO(text))
        rows = list(reader)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(f"{path} is damaged: it is not a table of values separated by commas") from error
    lacking = [name for name in columns if name not in (reader.fieldnames or [])]
    if lacking:
        raise ArtifactError(f"{path} is damaged or foreign: it has no column {lacking[0]!r}")
    if any(None in row for row in rows):
        raise ArtifactError(f"{path} is damaged: a row has more values than there are columns")
    # A row that is being written may lack its last columns, or its last digits.
    if rows and not text.endswith("\n"):
        del rows[-1]
    return [row for row in rows if None not in row.values()]


def to_number(path: Path, text: str) -> float:
    """The number that ``text`` is. Raises ArtifactError naming ``path``, the table that has it, if it is none."""
    try:
        return float(text)
    except ValueError:
        raise ArtifactError(f"{path} is damaged: {text!r} is not a number") from None
