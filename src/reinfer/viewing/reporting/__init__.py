"""The report: one HTML file that tells a stranger what reinfer is, what it reaches, and where it fails.

Every number is read from a result file. Parts without a source say which command
makes it; below each part stands how to make it again.
"""

from reinfer.viewing import page
from reinfer.viewing.reporting import behaviour, results, training
from reinfer.viewing.reporting.evidence import Clip, Evidence

_PARTS = (
    results.opening,
    results.contest,
    behaviour.clips,
    behaviour.tracks,
    behaviour.belief,
    behaviour.latent,
    behaviour.strides,
    results.failures,
    training.toy,
    training.low,
    training.models,
)


def report_html(evidence: Evidence) -> str:
    """The report as the text of one HTML file that needs no other."""
    parts = [part(evidence) for part in _PARTS]
    return page.page(f"reinfer on the {results.spoken(evidence.body)}", "\n".join(part for part in parts if part))


__all__ = ["Clip", "Evidence", "report_html"]
