"""Minutes of training from nothing until each bar is met: ``reinfer reproduce`` with less and less of its iterations.

python benchmarks/minutes.py [BODY...]          (half_cheetah, walker2d and hopper by default)

Schedules run over the iterations that there are, so a bar that a short training meets is met by it as a whole, not by a
glimpse of a longer one. Each of ``SHARES`` is trained and judged as ``reproduction.py`` does it, in folders of its own;
what is finished is not repeated. Figures go to ``docs/results/minutes.json``, pages are written by ``python
benchmarks/results.py --pages``.
"""

from evaluations import RESULTS, note_each
from reproduction import BODIES, reproduce

SHARES = (0.25, 0.5, 1.0)
FIGURES = RESULTS / "minutes.json"


def budgets(body: str) -> list[dict]:
    """What ``reproduction.reproduce`` says for every share of the iterations, the least first."""
    return [{"share": share} | reproduce(body, share) for share in SHARES]


if __name__ == "__main__":
    note_each(BODIES, budgets, FIGURES, __doc__)
