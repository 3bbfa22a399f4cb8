"""The part of docs/results.md on meta-training on the robot itself, beside reuse."""

import numpy as np

from evaluations import bold

#: Published returns on the benchmark, with the robot steps they took, from what their authors or others released.
_PUBLISHED = {
    "cheetah-vel": "Published returns: PEARL -37 (0.8 M steps, a re-implementation), VariBAD -25 (100 M), RESeL -16.5.",
}
#: Robot steps of the published PEARL.
_PEARL_STEPS = 780_000


def comparison_lines(found: dict) -> list[str]:
    """What ``benchmarks/comparison.py`` found on one benchmark."""
    better = "lower" if found["lower_is_better"] else "higher"
    return [
        f"### {found['protocol']}",
        "",
        f"{found['n_tasks']} held-out tasks, {found['episodes']} episodes of {found['episode_steps']} control steps on"
        " each (RL2 plays those of the trials it was trained for); per step, of the last episode:"
        f" {found['measure']} ({better} is better), interquartile mean and 95 % interval over seeds and tasks.",
        *([_PUBLISHED[found["protocol"]]] if found["protocol"] in _PUBLISHED else []),
        "Ours are set for time on two cores, where physics is cheap and gradients are dear, not for few robot steps.",
        "Soft actor-critics (MELTS, PEARL, SAC told) begin from wide weights here: from narrow ones they might learn in"
        " fewer steps ([how much that is on another task](#score-after-the-same-updates)).",
        *_unconverged(found["agents"]),
        "",
        "Reuse decides at every control step: a learned stride would have met tasks on the robot. It learns of a task"
        " by the toy's rewards, -|v - g| / |g|, which tell the target and cost no effort; the others are shown the"
        " benchmark's own. All are judged by the benchmark's. The low level beneath was trained on the robot, on"
        " commands and on no unknown task, once for all sets of tasks; the others are trained anew for each.",
        "`reuse, thrifty`, added when the others had been judged: above a low level that paid in training what effort"
        " costs in the benchmark (`--effort-price 0.05`, by default 0.01).",
        "",
        "Final error: of the controlled value over the last 50 steps, m/s or m, without effort and start-up.",
        "",
        "| agent | meta-training steps | low level beneath | minutes | seeds | per step | return by episode "
        "| final error | as good after |",
        "|---" * 9 + "|",
        *(_row(name, part) for name, part in found["agents"].items()),
        "",
        *_ratios(found["agents"]),
        "",
        "Figure: error against robot steps of meta-training; performance profiles; error and belief against rows of",
        "context, one per control step.",
        "",
        f"![Error against robot steps, performance profiles, few-shot curves](results/compare_{found['protocol']}.svg)",
        "",
    ]


def _row(name: str, part: dict) -> str:
    low, high = part["per_step"]["interval"]
    returns = ", ".join(f"{value:.1f}" for value in part["return_by_episode"])
    errors = ", ".join(f"{value:.3f}" for value in part["final_error_by_family"].values())
    minutes, beneath = part.get("training_minutes"), part["low_level_steps"]
    reached = "; ".join(f"{of}: {_reached(after, part)}" for of, after in part["steps_to"].items() if after)
    label = f"{name}, told its task" if part["told"] else f"**{name}**" if name == "reuse" else name
    return (
        f"| {label} | {part['robot_steps']:,} | {f'{beneath:,}' if beneath else ''} "
        f"| {'' if minutes is None else f'{minutes:.0f}'} | {part['seeds']} "
        f"| {part['per_step']['iqm']:.3f} ({low:.3f} to {high:.3f}) | {returns} | {errors} | {reached} |"
    )


def _reached(after: dict, part: dict) -> str:
    """Robot steps after which an agent was as good as another."""
    if after["first"] is None:
        return f"not within {_millions(part['robot_steps'])}"
    stays = "not to the end" if after["stays"] is None else f"stays so from {_millions(after['stays'])}"
    return _millions(after["first"]) + ("" if after["stays"] == after["first"] else f", {stays}")


def _ratios(agents: dict) -> list[str]:
    """Robot steps of reuse relative to those of every other, for one set of tasks and for ten."""
    beneath = agents["reuse"]["low_level_steps"]
    others = {name: part for name, part in agents.items() if part["curve"] and not part["told"]}
    ratios = [
        f"{name} {beneath / part['robot_steps']:.2g} and {beneath / (10 * part['robot_steps']):.2g}"
        for name, part in others.items()
    ]
    published = beneath / _PEARL_STEPS
    return [
        f"Robot steps of reuse, all in its low level ({_millions(beneath)}), relative to those of the others for one"
        f" set of tasks and for ten: {', '.join(ratios)}; of PEARL as published, {published:.2g} and"
        f" {published / 10:.2g}. Meta-training steps: 0 for any number.",
    ]


def _unconverged(agents: dict) -> list[str]:
    """A sentence on those whose error still fell by a tenth in the last fifth of their training; empty if none did."""
    still = []
    for name, part in agents.items():
        if part["curve"]:
            error = part["curve"]["iqm"]
            before, last = error[-max(2, len(error) // 5)], error[-1]
            if last < 0.9 * before:
                still.append(f"{name} ({before:.3f} to {last:.3f} per step)")
    return [f"Still getting better in the last fifth of their training: {', '.join(still)}."] if still else []


def _millions(steps: int) -> str:
    return f"{steps / 1e6:.1f} M"


def cheetah_vel_table(agents: dict) -> list[str]:
    """The README's second table: reuse beside what was meta-trained here on the robot itself, by name; what is told its
    task is left out. Numbers of reuse above the default low level are in bold where they are better than those of all
    others."""
    reuse = {name: part for name, part in agents.items() if name in part["steps_to"]}
    scratch = {name.upper(): part for name, part in agents.items() if part["curve"] and not part["told"]}
    best = max((part["return"]["mean"] for part in scratch.values()), default=-np.inf)
    least = min(map(_final_error, scratch.values()), default=np.inf)

    def row(name: str, part: dict, steps: str) -> str:
        ours = name == "reuse"
        returns = bold(_first_and_last(part), ours and part["return"]["mean"] > best)
        error = bold(f"{_final_error(part):.3f}", ours and _final_error(part) < least)
        return f"| {name} | {steps} | {part['seeds']} | {returns} | {error} |"

    beneath = f"**0** (low level, for all tasks: {_millions(agents['reuse']['low_level_steps'])})"
    return [
        "",
        "| Cheetah-Vel, all trained here | meta-training steps on the robot | seeds | return, first / last episode "
        "| final error, m/s |",
        "|---" * 5 + "|",
        *(row(name, part, beneath) for name, part in reuse.items()),
        *(row(f"{name}, from scratch", part, _millions(part["robot_steps"])) for name, part in scratch.items()),
        "",
        f"{_PUBLISHED['cheetah-vel']} Reuse reads the toy's reward, which costs no effort; `thrifty`, whose low level"
        " was trained on what effort costs here, was added when the others had been judged."
        " [More](docs/results.md#cheetah-vel).",
    ]


def _final_error(agent: dict) -> float:
    """Of the speed over the last 50 steps, m/s."""
    return agent["final_error_by_family"]["velocity_forward"]


def _first_and_last(agent: dict) -> str:
    """Returns of the first and of the last episode of a trial."""
    return f"{agent['return_by_episode'][0]:.0f} / {agent['return_by_episode'][-1]:.0f}"
