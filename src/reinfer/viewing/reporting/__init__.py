"""The report: one HTML file that tells a stranger what reinfer is, what it reaches, and where it fails.

Every number is read from a result file. Parts without a source say which command
makes it; below each part stands how to make it again.
"""

from reinfer.viewing import page
from reinfer.viewing.reporting import behaviour, failures, results, sweeps, training
from reinfer.viewing.reporting.evidence import Clip, Evidence

#: Of one robot, and of what they share.
_ON_ROBOT = (
    results.contest,
    behaviour.clips,
    behaviour.tracks,
    behaviour.belief,
    behaviour.strides,
    failures.failures,
    training.low,
)
_SHARED = (behaviour.latent, training.toy, training.curves, training.models)


def report_html(evidence: Evidence, others: tuple[Evidence, ...] = ()) -> str:
    """The report as the text of one HTML file that needs no other.

    Args:
        evidence: of the first robot, or of none, and of what all robots share.
        others: of further robots; only what is theirs is shown.
    """
    parts = [results.opening(evidence, others), sweeps.sweeps(evidence), training.runs(evidence)]
    for robot in (evidence, *others):
        if others:
            parts.append(page.chapter(f"On the {results.spoken(robot.body)}"))
        parts += [part(robot) for part in _ON_ROBOT]
    if others:
        parts.append(page.chapter("What they share"))
    parts += [part(evidence) for part in _SHARED]
    return page.page(results.title(evidence, others), "\n".join(part for part in parts if part))


__all__ = ["Clip", "Evidence", "report_html"]
