"""Agents trained on the robot in the contest of ``evaluation.transfer``: the same tasks, 24 s, the same measures."""

from reinfer.evaluation.contest import EPISODE_S, TASK_SETS, measure
from reinfer.evaluation.scratch import Bench
from reinfer.evaluation.transfer import summarise
from reinfer.runs import random
from reinfer.simulation.tasks import TaskSimulation
from reinfer.transfer.trials import play_trials


def contest_of(agents, bench: Bench, task_set: str = "standard", seconds: float = EPISODE_S) -> dict:
    """What ``evaluation.transfer.summarise`` says of the last episode of a trial of every task of ``task_set``."""
    tasks = TASK_SETS[task_set](bench.body)
    simulation = TaskSimulation(bench.body, bench.protocol, tasks.count, bench.threads)
    steps, scores = round(seconds / simulation.control_dt_s), []
    for seed, agent in enumerate(agents):
        rng, key = random.generator(seed, "contest start"), random.key(seed, "contest start")
        trial = play_trials(agent, simulation, tasks, bench.episodes, rng, key, steps)
        scores.append(measure(trial[-1].record))
    return summarise(tasks, scores, resample_tasks=False)
