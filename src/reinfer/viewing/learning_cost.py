"""What agents cost and what they reach: error against steps on the robot, and performance profiles."""

from reinfer.viewing.progress import thousands
from reinfer.viewing.style import SERIES, SOFT_INK, new_figure, style

#: Where what needs no robot steps is drawn on a logarithmic axis, as a share of the first evaluation.
_FIRST = 0.5


def learning_cost_figure(report: dict):
    """Two panels of what ``reinfer compare --json`` printed; dashed lines are told their task."""
    agents = report["agents"]
    colours = {name: SERIES[index % len(SERIES)] for index, name in enumerate(agents)}
    firsts = [part["curve"]["robot_steps"][0] for part in agents.values() if part["curve"]]
    lasts = [part["robot_steps"] for part in agents.values()]
    left, right = _FIRST * min(firsts, default=1e4), max([*lasts, 1e4])
    with style():
        figure, (cost, profile) = new_figure(2)
        for name, part in agents.items():
            look = {"color": colours[name], "linestyle": "--" if part["told"] else "-"}
            label = f"{name} (told)" if part["told"] else name
            if curve := part["curve"]:
                cost.plot(curve["robot_steps"], curve["iqm"], label=label, **look)
                cost.fill_between(curve["robot_steps"], curve["low"], curve["high"], color=look["color"], alpha=0.15)
            else:
                start = max(left, part["robot_steps"])
                level = part["over_seeds"]
                cost.plot([start, right], [level["iqm"]] * 2, label=label, gid="reuse", **look)
                cost.fill_between([start, right], level["low"], level["high"], color=look["color"], alpha=0.15)
            profile.plot(report["thresholds"], part["profile"], label=label, **look)
        cost.set_xscale("log")
        cost.set_xlim(left, right)
        cost.xaxis.set_major_formatter(thousands)
        cost.set_xlabel("meta-training on the robot, control steps")
        cost.set_ylabel(f"per step: {report['measure']}")
        cost.set_title(f"{report['protocol']}, {report['body']}")
        cost.legend(loc="best")
        profile.set_title("Share of tasks and seeds at least as good")
        profile.set_xlabel(f"per step: {report['measure']}")
        profile.axhline(0.5, color=SOFT_INK, linewidth=0.6)
        if report["lower_is_better"]:
            profile.invert_xaxis()
    return figure
