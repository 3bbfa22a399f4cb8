"""The shipped agents that reuse the toy's inference, at a benchmark of those trained on the robot."""

from typing import NamedTuple

from reinfer.cli.transfer import RELEARNED, TOY, TransferOptions, prepare
from reinfer.runs.errors import ConfigError


class Reuse(NamedTuple):
    """What ``evaluation.scratch.Bench.play_reused`` takes."""

    agent: object
    strides: object
    low_level: object


def load_reused(bench, seeds: int, high: tuple[str, ...] = (), low: str | None = None) -> list[Reuse]:
    """Each of the first ``seeds`` shipped toy agents on the robot of ``bench``, deciding at every control step.

    ``high``: relearned high levels (runs or model folders), one per toy agent, that are to choose sub-goals; ``low``:
    the low level beneath, if not the shipped one. Raises ConfigError where nothing is shipped for the robot, or where
    its low level knows another physics than ``bench``.
    """
    policy = RELEARNED if high else TOY
    # A learned stride would have been trained on the robot, on tasks: what is compared must have met none there.
    options = TransferOptions(body=bench.body.reference, policy=policy, stride="1", seeds=seeds, high=high, low=low)
    contest, contestants = prepare(options)
    if contest.body.timing != bench.body.timing:
        raise ConfigError(
            f"body: {low or f'the shipped low level of {bench.body.name}'} knows timing {contest.body.timing!r}, "
            f"the runs {bench.body.timing!r}"
        )
    return [
        Reuse(contest.agents(contestant)[policy], contestant.strides, contest.low_level) for contestant in contestants
    ]
