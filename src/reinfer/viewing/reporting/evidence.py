"""What a report is made from."""

import shlex
from typing import NamedTuple

from reinfer.viewing import page
from reinfer.viewing.contest_table import percent
from reinfer.viewing.progress import Progress


class Clip(NamedTuple):
    """A video in the report: mp4 bytes, a PNG of its first moments, what it shows, the simulation of the record and how
    many seconds of it were asked for."""

    video: bytes
    poster: bytes
    caption: str
    simulation: int
    seconds: float


class Evidence(NamedTuple):
    """What a report is made from, on one robot (``body``) or, without a ``contest``, on none. All may be absent.

    ``contest``, ``heldout``, ``toy``, ``low``: what ``reinfer eval transfer|toy|low --json`` printed, the
    second for held-out tasks; ``records``: the rollouts behind the contest, one per seed; ``latent``: (PCA
    figure, t-SNE figure); ``progress``: training curves with the metric to show; ``runs``: what ``reinfer info --json``
    tells of each run; ``sweeps``: folder and rows of ``trials.csv`` of each sweep; ``models``: kind, sha256 and
    provenance of each; ``made_by``: the command of this report; ``source``: what a command that draws takes to draw the
    contest again; ``toy_model``: likewise the latent map, and ``latent_record``, if a robot is on it, which the command
    ``latent_record_made_by`` keeps where that was not done. All of these as a shell takes them.
    """

    made_by: str
    body: str = ""
    contest: dict | None = None
    heldout: dict | None = None
    records: list = []
    toy: dict | None = None
    low: dict | None = None
    latent: tuple | None = None
    progress: list[tuple[Progress, str]] = []
    clips: list[Clip] = []
    runs: list[dict] = []
    sweeps: list[tuple[str, list[dict[str, str]]]] = []
    models: dict[str, dict] = {}
    source: str = "transfer"
    toy_model: str = "MODEL"
    latent_record: str = ""
    latent_record_made_by: str = ""

    @property
    def reference(self) -> str:
        """What a command takes as ``--body``."""
        return shlex.quote((self.contest or {}).get("body_file") or self.body)

    @property
    def eval_low(self) -> str:
        """The command that judges the low level; no model of a robot of a user's own is shipped."""
        model = " --model RUN" if self.reference != self.body else ""
        return f"reinfer eval low --body {self.reference}{model} --json > low.json"


def absent(title: str, needed: str, made_by: str) -> str:
    """A part that lacks its source: what is ``needed`` and the command it is ``made_by``."""
    text = f"Not part of this report: it needs {needed}, from the command below."
    return page.section(title, page.paragraph(text, "note"), page.command(made_by))


def by_rows(result: dict, source: str = "") -> str:
    """Accuracy and target error at fixed numbers of context rows, from a result file."""
    accuracy, error = result.get("class_accuracy_by_rows"), result.get("target_error_by_rows")
    if not accuracy or not error:
        return ""
    head = [("context rows", False), ("kind recognised", True), ("target error", True)]
    rows = []
    for count in sorted(accuracy, key=float):
        cells = [page.cell(count)]
        for name, values in (("class_accuracy_by_rows", accuracy), ("target_error_by_rows", error)):
            value = values.get(count)
            text = "" if value is None else percent(value)
            cells.append(page.cell(text, number=True, key=f"{source}{name}.{count}", value=value))
        rows.append(("", cells))
    return page.table(head, rows)
