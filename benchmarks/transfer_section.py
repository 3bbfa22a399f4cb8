"""The parts of docs/results.md on robots whose task is unknown: contests, how soon they are decided, strides."""

from evaluations import COMMANDS, HALF_CHEETAH, MODELS, PUBLISHED, RESULTS, load, missing
from reinfer.runs.models import load_model

#: Columns of contests; what is measured at every step was not noted of all of them.
COLUMNS = (
    "position, m: mean (worst)",
    "speed over 6 s: m/s, relative",
    "settle: positions, speeds",
    "integrated error, s: IQM (95 %)",
    "falls",
)
AT_EVERY_STEP = "speed at every step, m/s: mean (RMS)"


def transfers() -> list[str]:
    """The sections on the contests of all robots, and on strides."""
    lines = []
    for name, title in (("transfer_standard", "the 12 standard tasks"), ("transfer_heldout", "120 held-out tasks")):
        lines += [f"## Transfer to the half-cheetah, {title}", ""]
        if missing(name):
            lines += missing(name)
            continue
        lines += [
            f"`reinfer {COMMANDS[name]}`: {of_stride(name)}",
            *(["", *MEASURES, ""] if name == "transfer_standard" else [""]),
            f"Published: {HALF_CHEETAH.text}.",
            "",
            *contest_table("", name),
            "",
            "The toy agent by family:",
            "",
            *family_table(name),
        ]
    lines += ["## Transfer to other robots, the 12 standard tasks of each", ""]
    for body, published in PUBLISHED.items():
        name = f"transfer_{body}"
        if missing(name):
            lines += missing(name)
            continue
        lines += [f"`reinfer {COMMANDS[name]}`: {targets(name)}.", f"Published: {published.text}.", ""]
        lines += [*contest_table(body, name), "", *worse_oracle(name), *family_table(name)]
    return [*lines, *held_out(), *low_seeds(), *sooner(), *strides()]


#: How to read the tables.
MEASURES = (
    "Five toy agents on one low level (seed 0); 24 s per task. Position: mean distance over the last 6 s. Speed:",
    "distance over those 6 s by time, since a gait makes the speed at any moment swing; and the speed at every control",
    "step, the mean of its absolute error and its root mean square. A task counts as settled within 0.25 m, or 10 %.",
    "The integrated error is that of |error| / |target|, over seeds and tasks. The oracle is told the task at once:",
    "what the same low level does when told, no strict bound.",
)


def of_stride(name: str) -> str:
    """By which strides a contest was played, and what they cost on the robot."""
    if load(name)["stride"] != "learned":
        return f"stride {load(name)['stride']}."
    config = load_model(MODELS / "half_cheetah" / "stride" / "seed0").config["training"]
    steps = config["iterations"] * config["simulations"] * round(config["episode_s"] / load(name)["control_dt_s"])
    return (
        f"learned strides, which have met tasks on this robot for {steps:,} control steps (stride 1, which has met"
        " none, is [below](#strides) and in the README)."
    )


def targets(name: str) -> str:
    """The tasks of a contest, which are fractions of what its robot can do."""
    sizes = {"goal_forward": [], "velocity_forward": []}
    for task in load(name)["by_task"]:
        sizes.get(task["family"], []).append(
            f"{task['target']:g}" if abs(task["target"]) < 0.1 else f"{task['target']:.2f}"
        )
    return f"goals at +-{', '.join(sizes['goal_forward'])} m, speeds of +-{', '.join(sizes['velocity_forward'])} m/s"


def worse_oracle(name: str) -> list[str]:
    """What to say where the oracle has the larger mean error of position; else empty."""
    ours, oracle = (part["position"]["settled_error"] for part in (load(name), load(name)["oracle"]))
    if oracle["mean"] <= 10 * ours["mean"]:
        return []
    found = load(name)["oracle"]
    fallen = round(found["fall_rate"] * load(name)["n_tasks"] * len(load(name)["seeds"]))
    return [
        f"The oracle's mean is that of {fallen} episode(s) in which the robot fell; the interquartile means are"
        f" {oracle['iqm']:.4f} m (oracle) and {ours['iqm']:.4f} m.",
        "",
    ]


def held_out() -> list[str]:
    """The section on held-out tasks of robots beside the half-cheetah: ten times as many episodes, a row each."""
    lines = ["## Transfer to other robots, 120 held-out tasks of each", ""]
    rows = []
    for body in PUBLISHED:
        name = f"heldout_{body}"
        if missing(name):
            lines += missing(name)
            continue
        lines += [f"`reinfer {COMMANDS[name]}`", ""]
        found = load(name)
        rows += [transfer_row(f"**{body}**", found), transfer_row(f"{body}, oracle", found["oracle"])]
    head = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    return [*lines, *head, *rows, ""] if rows else lines


def low_seeds() -> list[str]:
    """The section on low levels of several seeds; empty where none were judged."""
    if not (RESULTS / "low_seeds.json").exists():
        return []
    lines = [
        "## Low levels of other seeds",
        "",
        "`python benchmarks/low_seeds.py`: all above rests on one low level per robot. Here the half-cheetah's is"
        " trained anew for every seed, beneath the toy agent of the same seed (standard tasks, stride 1).",
        "",
        f"| seed | told goals, m | told speeds | {' | '.join(COLUMNS)} | {AT_EVERY_STEP} |",
        "|---" * (len(COLUMNS) + 4) + "|",
    ]
    for found in load("low_seeds"):
        low = found["low"]
        told = f"{low['goal_error_m']:.4f} | {100 * low['speed_error_windowed']:.1f} %"
        lines.append(transfer_row(f"{found['seed']} | {told}", found, every_step=True))
    return [*lines, ""]


def sooner() -> list[str]:
    """The section on how soon errors fall and beliefs are right, of all robots: those agents decide at every step."""
    names = {body: name for body in PUBLISHED if not missing(name := f"transfer_{body}")}
    if not missing("transfer_standard"):
        names = {"half_cheetah, learned strides": "transfer_standard"} | names
    if not names:
        return []
    seconds, rows = ("1", "2", "5", "10", "24"), ("1", "2", "5", "10")
    lines = [
        "## How soon",
        "",
        "The standard tasks above. Errors at a moment, of the position in m / of the speed over the second before in"
        " m/s (means, the way there included); half of the goals / of the speeds have settled by.",
        "",
        f"| | {' | '.join(f'{moment} s' for moment in seconds)} | settled by, s |",
        "|---" * (len(seconds) + 2) + "|",
    ]
    for body, name in names.items():
        parts = [load(name)[kind] for kind in ("position", "velocity")]
        cells = [" / ".join(f"{part['error_at_s'][moment]:.3f}" for part in parts) for moment in seconds]
        times = [part["settling_time_s"] for part in parts]
        settled = " / ".join("never" if time is None else f"{time:.1f}" for time in times)
        lines.append(f"| {body} | {' | '.join(cells)} | {settled} |")
    lines += [
        "",
        "By rows of context, one per look: family known / relative error of the target believed in.",
        "",
        f"| | {' | '.join(f'{count} rows' if count != '1' else '1 row' for count in rows)} |",
        "|---" * (len(rows) + 1) + "|",
    ]
    for body, name in names.items():
        known, error = load(name)["class_accuracy_by_rows"], load(name)["target_error_by_rows"]
        cells = [f"{100 * known[count]:.0f} % / {100 * error[count]:.1f} %" for count in rows]
        lines.append(f"| {body} | {' | '.join(cells)} |")
    return [*lines, ""]


def strides() -> list[str]:
    """The section on learned and other strides."""
    if missing("transfer_standard"):
        return ["## Strides", "", *missing("transfer_standard")]
    return [
        "## Strides",
        "",
        f"`reinfer {COMMANDS['transfer_standard']}`; integrated error |error| / |target| dt, in s.",
        "",
        "| stride | mean | IQM (95 % interval) | mean stride, control steps | position, m | settled | velocity |",
        "|---" * 7 + "|",
        *ablation_rows("transfer_standard"),
        "",
        stride_verdict("transfer_standard"),
        "",
    ]


def contest_table(title: str, name: str) -> list[str]:
    """The table of one contest: the toy agent and its comparators."""
    found = load(name)
    every_step = "instantaneous_error_mps" in found["velocity"]
    columns = [*COLUMNS, *[AT_EVERY_STEP] * every_step]
    agents = {
        "**toy agent, told only rewards**": found,
        **{agent: found[agent] for agent in ("oracle", "random", "zero")},
    }
    rows = [transfer_row(label, part, every_step) for label, part in agents.items()]
    return [f"| {title} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows]


def transfer_row(label: str, part: dict, every_step: bool = False) -> str:
    """The table row of one agent of a contest."""
    position, velocity, error = part["position"], part["velocity"], part["integrated_error_s"]
    low, high = error["interval"]
    # One seed on tasks that are no sample has no interval.
    interval = f" ({low:.2f} to {high:.2f})" if low < high else ""
    cells = [
        f"{position['settled_error_m']:.3f} ({position['worst_error_m']:.3f})",
        f"{velocity['windowed_error_mps']:.3f}, {100 * velocity['windowed_relative_error']:.1f} %",
        f"{position['settled_fraction']:.2f}, {velocity['settled_fraction']:.2f}",
        f"{error['iqm']:.2f}{interval}",
        f"{part['fall_rate']:.3f}",
    ]
    if every_step:
        cells.append(f"{velocity['instantaneous_error_mps']:.3f} ({velocity['instantaneous_rms_mps']:.3f})")
    return f"| {label} | {' | '.join(cells)} |"


def ablation_rows(name: str) -> list[str]:
    """Integrated error per stride policy."""
    rows = []
    for stride, part in load(name)["ablation"].items():
        error = part["integrated_error_s"]
        low, high = error["interval"]
        rows.append(
            f"| {stride} | {error['mean']:.2f} | {error['iqm']:.2f} ({low:.2f} to {high:.2f}) "
            f"| {part['mean_stride']:.1f} | {part['position']['settled_error_m']:.3f} "
            f"| {part['position']['settled_fraction']:.2f} "
            f"| {100 * part['velocity']['windowed_relative_error']:.1f} % |"
        )
    return rows


def family_table(name: str) -> list[str]:
    """The table of one contest by task family."""
    rows = ["| | settled error | settled | integrated error, s |", "|---" * 4 + "|"]
    for family, part in load(name)["by_family"].items():
        error = part["settled_error"]["mean"]
        size = f"{error:.3f} m" if family.startswith("goal") else f"{100 * part['relative_error']['mean']:.1f} %"
        rows.append(
            f"| {family} | {size} | {part['settled_fraction']:.2f} | {part['integrated_error_s']['mean']:.2f} |"
        )
    return [*rows, ""]


def stride_verdict(name: str) -> str:
    """One sentence on the learned stride against the best of the others, by integrated error."""
    found = {stride: part["integrated_error_s"] for stride, part in load(name)["ablation"].items()}
    learned = found.pop("learned")
    best = min(found, key=lambda stride: found[stride]["mean"])
    low, high = learned["interval"]
    other = found[best]
    apart = 100 * (learned["mean"] / other["mean"] - 1)
    said = f"{abs(apart):.1f} % {'less' if apart < 0 else 'more'} than that of stride {best}, the best of the others"
    if low <= other["interval"][1] and other["interval"][0] <= high:
        said += ": no difference, since their intervals overlap"
    most = 100 * (max(part["mean"] for part in found.values()) / other["mean"] - 1)
    return f"The integrated error of the learned stride is {said}. The worst of the others costs {most:.0f} % more."
