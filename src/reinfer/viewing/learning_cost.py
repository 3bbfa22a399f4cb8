"""What agents cost, what they reach and how soon: error against steps on the robot, performance profiles, few-shot
curves."""

from reinfer.viewing.progress import thousands
from reinfer.viewing.style import SERIES, SOFT_INK, new_figure, style

#: Where what needs no robot steps is drawn on a logarithmic axis, as a share of the first evaluation.
_FIRST = 0.5


def learning_cost_figure(report: dict):
    """Four panels of what ``reinfer compare --json`` printed; dashed lines are told their task."""
    agents = report["agents"]
    looks = {
        name: {"color": SERIES[index % len(SERIES)], "linestyle": "--" if part["told"] else "-"}
        for index, (name, part) in enumerate(agents.items())
    }
    with style():
        figure, (cost, profile, error, belief) = new_figure(2, 2)
        _draw_cost(cost, report, looks)
        _draw_profile(profile, report, looks)
        _draw_few_shot(error, belief, report, looks)
    return figure


def _draw_cost(panel, report: dict, looks: dict) -> None:
    agents = report["agents"]
    firsts = [part["curve"]["robot_steps"][0] for part in agents.values() if part["curve"]]
    lasts = [part["robot_steps"] for part in agents.values()]
    left, right = _FIRST * min(firsts, default=1e4), max([*lasts, 1e4])
    for name, part in agents.items():
        look, label = looks[name], f"{name} (told)" if part["told"] else name
        if curve := part["curve"]:
            panel.plot(curve["robot_steps"], curve["iqm"], label=label, **look)
            panel.fill_between(curve["robot_steps"], curve["low"], curve["high"], color=look["color"], alpha=0.15)
        else:
            start, level = max(left, part["robot_steps"]), part["over_seeds"]
            panel.plot([start, right], [level["iqm"]] * 2, label=label, gid="reuse", **look)
            panel.fill_between([start, right], level["low"], level["high"], color=look["color"], alpha=0.15)
    panel.set_xscale("log")
    panel.set_xlim(left, right)
    panel.xaxis.set_major_formatter(thousands)
    panel.set_xlabel("meta-training on the robot, control steps")
    panel.set_ylabel(f"per step: {report['measure']}")
    panel.set_title(f"{report['protocol']}, {report['body']}")
    panel.legend(loc="best")


def _draw_profile(panel, report: dict, looks: dict) -> None:
    for name, part in report["agents"].items():
        panel.plot(report["thresholds"], part["profile"], **looks[name])
    panel.set_title("Share of tasks and seeds at least as good")
    panel.set_xlabel(f"per step: {report['measure']}")
    panel.axhline(0.5, color=SOFT_INK, linewidth=0.6)
    if report["lower_is_better"]:
        panel.invert_xaxis()


def _draw_few_shot(error, belief, report: dict, looks: dict) -> None:
    """Error and belief against rows of context; where an episode begins there is a line."""
    for name, part in report["agents"].items():
        shots = part["few_shot"]
        error.plot(shots["steps"], shots["per_step"], **looks[name])
        if shots["belief"]:
            belief.plot(shots["steps"], shots["belief"], **looks[name])
    error.set_ylabel(f"per step: {report['measure']}")
    error.set_title("Few shots: from the first step on a task")
    belief.set_title("Width of the belief, relative to the start")
    for panel in (error, belief):
        panel.set_xlabel("control steps on the task")
        for episode in range(report["episodes"]):
            panel.axvline(episode * report["episode_steps"], color=SOFT_INK, linewidth=0.6)
