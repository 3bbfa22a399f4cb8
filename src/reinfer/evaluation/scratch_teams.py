"""Agents that were trained on the robot, by run, and the benchmark that they were trained for."""

from typing import NamedTuple

from reinfer.bodies import robot, timed
from reinfer.evaluation.scratch import Bench
from reinfer.inference.adaptive.agent import ScratchAgent
from reinfer.runs.directory import resolve
from reinfer.runs.errors import ConfigError
from reinfer.tasks.protocols import protocol


class Team(NamedTuple):
    """Agents of one algorithm that were trained alike, with different seeds."""

    agents: list[ScratchAgent]

    @property
    def algorithm(self) -> str:
        """Its name."""
        return self.agents[0].algorithm

    @property
    def robot_steps(self) -> int:
        """Control steps of the robot that training took."""
        return int(self.agents[0].story["provenance"]["last_metrics"]["env_steps"])


def load_team(references) -> Team:
    """The agents of ``references`` (runs or model folders).

    Raises ConfigError if there are none, or if they differ in algorithm, benchmark, robot, physics or length of trials.
    """
    agents = [ScratchAgent.load(resolve(reference)) for reference in references]
    if not agents:
        raise ConfigError("runs: none is given; name runs or model folders of stage scratch")
    for reference, agent in zip(references, agents, strict=True):
        for field in ("algorithm", "protocol", "body", "timing", "longest_trial"):
            first, own = getattr(agents[0], field), getattr(agent, field)
            if first != own:
                raise ConfigError(f"runs: {reference} differs in {field} from {references[0]}: {own} is not {first}")
    return Team(agents)


def bench_of(team: Team, episodes: int, seed: int, threads: int) -> Bench:
    """The benchmark that the agents of ``team`` were trained for."""
    agent = team.agents[0]
    reference = agent.story["training"]["body"]
    body = timed(robot(reference), agent.timing)
    agent.body.require(body.id, f"runs: {reference}")
    return Bench(body, protocol(agent.protocol, body.name, body.tasks), episodes, seed, threads)
