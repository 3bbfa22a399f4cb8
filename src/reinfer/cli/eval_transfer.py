"""``reinfer eval transfer``: the contest, as numbers.

JSON keys. ``position`` and ``velocity`` hold, over training seeds x tasks: ``settled_error_m`` (mean distance over the
last quarter of 24 s) or ``windowed_relative_error`` (mean speed over that quarter against the target;
``windowed_error_mps`` in m/s; ``instantaneous_error_mps`` and ``instantaneous_rms_mps``: the same of the speed at
every control step), ``settled_fraction`` (within 0.25 m, or 10 %), ``settling_time_s`` (median; null if fewer than
half settle), ``error_at_s`` (m, or m/s over the second before), ``worst_*``, and under ``settled_error``,
``relative_error``, ``integrated_error_s`` the mean, the interquartile mean (iqm) and its stratified bootstrap 95 %
interval. ``integrated_error_s`` is the integral of |error| / |target| in seconds. ``fall_rate``;
``class_accuracy_by_rows`` and ``target_error_by_rows`` (relative, of the most likely family) against the number of
context rows, null where no episode had so many; ``mean_stride`` in control steps; ``by_family``. ``oracle`` (told the
task), ``random`` and ``zero`` hold the same, and so does ``toy`` beside a relearned ``policy``. ``by_task``: means
over seeds. ``ablation``: the same summary for the other stride policies, with ``--ablation``. ``body`` is the robot's
name, ``body_file`` where a robot of one's own is defined (else null); ``toys``: of each toy agent its ``reference`` and
the ``sha256`` of its file; ``command`` is what was typed.
"""

import json as json_format
import shlex
from dataclasses import dataclass

from reinfer.cli.parsing import parse
from reinfer.cli.transfer import (
    RULE,
    TransferOptions,
    free_folder,
    keep,
    prepare,
    stride_of,
    strides_of,
    summary,
    toys_of,
)
from reinfer.runs.config import setting, validate
from reinfer.runs.files import make_folder

#: Stride policies beside the learned one in an ablation.
ABLATION = ("1", "5", "10", "20", RULE)


@dataclass(frozen=True, slots=True)
class EvalTransferOptions(TransferOptions):
    """How well toy agents move a robot whose task they are not told."""

    ablation: bool = setting(False, "also with strides 1, 5, 10, 20 and by rule")
    json: bool = setting(False, "print one JSON object")
    out: str | None = setting(None, "folder for transfer.json and records; by default they are not kept")


def run(arguments: list[str]) -> int:
    """Play the contest and print the numbers; returns the exit code."""
    options = validate(parse(EvalTransferOptions, "reinfer eval transfer", arguments))
    folder = free_folder(options.out) if options.out else None
    contest, contestants = prepare(options)
    if folder:
        make_folder(folder)
    own = stride_of(options, contest.body)
    others = [name for name in ABLATION if name != own] if options.ablation else []
    ablation = [strides_of(options, 0, contest, name) for name in others]
    report = contest.compare(contestants, ablation)
    report["toys"] = toys_of(options, contestants)
    report["command"] = shlex.join(["reinfer", "eval", "transfer", *arguments])
    lines = summary(report) + ablation_table(report)
    try:
        if folder:
            keep(contest, report, folder)
    finally:
        # What was played for must not be lost because the disk is full.
        print(json_format.dumps(report, indent=2) if options.json else "\n".join(lines))
    return 0


def ablation_table(report: dict) -> list[str]:
    """One line per stride policy: integrated error with its interval."""
    if not report["ablation"]:
        return []
    lines = [
        "",
        f"{'stride':<10} {'integrated error s: iqm':>24} {'95 %':>16} {'mean':>8} {'looks per s':>12}",
    ]
    for name, part in report["ablation"].items():
        error = part["integrated_error_s"]
        low, high = error["interval"]
        looks = 1.0 / (part["mean_stride"] * report["control_dt_s"])
        lines.append(f"{name:<10} {error['iqm']:>24.2f} {low:>8.2f}-{high:<7.2f} {error['mean']:>8.2f} {looks:>12.1f}")
    return lines
