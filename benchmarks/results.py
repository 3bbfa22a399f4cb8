"""Evaluate the shipped models with reinfer's own commands and write docs/results.md, docs/scale.md and the README's
table.

python benchmarks/results.py           (about 12 minutes on 2 cores)
python benchmarks/results.py NAME...   only those commands, e.g. toy_seed0 transfer_standard
python benchmarks/results.py --pages   only rewrite the pages from the figures of the last evaluation

What was measured is never typed: it comes from docs/results/*.json, which the named commands printed.
"""

import json
import statistics
import sys

from ablation_section import ablation_figure, ablation_lines
from change_section import changes
from comparison_section import cheetah_vel_table, comparison_lines
from device_section import device_lines
from evaluations import (
    COMMANDS,
    HALF_CHEETAH,
    PUBLISHED,
    RESULTS,
    ROOT,
    SEEDS,
    bold,
    evaluate,
    load,
    missing,
    models_behind,
)
from inference_section import inference_lines, learned_alone
from minutes_section import minutes_lines, readme_rows
from process_section import process_lines
from reinfer.viewing.style import save_figure
from relearned_section import relearned_lines
from robustness_section import randomisation_lines, robustness_lines
from scale_page import scale_page
from speed_section import speed_lines
from training_section import all_families, from_nothing, in_the_plane, low_level_steps, trained
from transfer_section import transfers

#: What docs/scale.md rests on.
SCALE = ("speed", "seeds", "training")

BEGIN, END = "<!-- results: written by benchmarks/results.py -->", "<!-- end of results -->"


def page() -> str:
    """docs/results.md."""
    head = [
        "# Results",
        "",
        "Written by `python benchmarks/results.py` from the JSON of the commands named below (`docs/results/`);",
        "training times by `python benchmarks/train_shipped.py`. Ranges are over five training seeds of the toy; every"
        " robot has one low level.",
        "",
    ]
    parts = [trained, transfers, inference_lines, relearned, differences, changes, comparison, ablation, process]
    parts += [in_the_plane, all_families, from_nothing, minutes_lines, speed]
    return "\n".join(head + [line for part in parts for line in part()])


def relearned() -> list[str]:
    """The section on high levels learned on the robots; empty where none were."""
    if not (RESULTS / "relearned.json").exists():
        return []
    # Only of those whose low level is still the one that was learned above.
    present = models_behind("eval low --body " + " ".join(load("relearned")))
    found = {body: part for body, part in load("relearned").items() if part["low_sha256"] == present[f"{body}/low"]}
    return [
        "## A high level relearned on the robot",
        "",
        "`python benchmarks/relearned.py`: corrections of the toy policy's sub-goals, learned on the robot above the",
        "frozen encoder, against the toy's policy itself, by the same held-out tasks. What the last episodes of its",
        "own training did not find better is not used.",
        "",
        *relearned_lines(found),
    ]


def differences() -> list[str]:
    """The part on what a body that is not the toy costs, and what randomising the toy in training gains."""
    lines = ["## Where the body is not the toy", ""]
    if missing("robustness"):
        lines += missing("robustness")
    else:
        lines += [
            f"`reinfer {COMMANDS['robustness']}`: one difference at a time, 40 held-out tasks, two training seeds.",
            "Travel: distance per step, relative to the toy's. Noise: standard deviations, in m and m/s on states,",
            "and on the rewards that the agent is shown. Family after 5 rows, target after 10; returns are of the true",
            "rewards. Told: a controller that knows the task and the travel. What long rows cost on a robot is in the",
            "table of strides above.",
            "",
            *robustness_lines(load("robustness")),
            "",
        ]
    if (RESULTS / "randomisation.json").exists():
        lines += [
            "What randomising the toy in training gains (`python benchmarks/randomisation.py`, "
            f"{load('randomisation')['seeds']} training seeds):",
            "return / relative target error after 10 rows.",
            "",
            *randomisation_lines(load("randomisation")),
            "",
        ]
    return lines


def comparison() -> list[str]:
    """The section on meta-training on the robot itself; empty where none was done."""
    found = sorted(RESULTS.glob("compare_*.json"))
    if not found:
        return []
    lines = [line for path in found for line in comparison_lines(json.loads(path.read_text()))]
    head = "`python benchmarks/comparison.py`: all on the half-cheetah."
    return ["## Meta-training on the robot itself", "", head, "", *lines]


def ablation() -> list[str]:
    """The section on other encoders, priors and losses; empty where none were trained."""
    if not (RESULTS / "ablation.json").exists():
        return []
    return [
        "## Other encoders, priors and losses",
        "",
        "`python benchmarks/ablation.py`: one training each, seed 0, all else as by default; returns over the 40",
        "held-out tasks as above (bar: -20 for every encoder and prior; -12 on the mirrored tasks for an equivariant",
        "encoder that was trained forward only). `product` and `learned` combine what is said of every row: by the row",
        "alone (mlp), or with those before it. Robot: the",
        "12 standard tasks on the half-cheetah, deciding at every control step. Targets are put right by arithmetic, so"
        " that their errors tell little of an encoder ([what is learned](#what-is-learned-and-what-is-arithmetic))."
        + seeds_apart(),
        "",
        "![Returns on the toy and errors on the half-cheetah, by variant](results/ablation.svg)",
        "",
        *ablation_lines(load("ablation")),
    ]


def seeds_apart() -> str:
    """By how much returns of the shipped toys, which differ in their seed only, are apart; empty where unknown."""
    if any(missing(f"toy_seed{seed}") for seed in SEEDS):
        return ""
    returns = [load(f"toy_seed{seed}")["return_mean"] for seed in SEEDS]
    apart = f"{min(returns):.2f} to {max(returns):.2f}"
    return f" Five seeds of the default have returns of\n{apart}: smaller differences than theirs tell nothing."


def process() -> list[str]:
    """The section on one family with a varying parameter."""
    lines = ["## One family with a varying parameter", ""]
    if missing("process"):
        return lines + missing("process")
    return [
        *lines,
        f"`reinfer {COMMANDS['process']}`: goals in (0, 10] m, rewards -|x - g|,",
        "a Neural Process with one latent number ([how](how/process.md)). Robots: frozen encoder and toy policy, goals",
        "from 1 to 9 m, 20 s, steady over the second half. A row of the context spans one sub-goal unless said",
        "otherwise.",
        "",
        *process_lines(load("process")),
        "",
    ]


def speed() -> list[str]:
    """The section on speed; empty where it was not measured."""
    if not (RESULTS / "speed.json").exists():
        return []
    device = load("device") if (RESULTS / "device.json").exists() else None
    return ["## Speed", "", *speed_lines(load("speed")), *device_lines(device)]


def readme_table() -> str:
    """The block of the README between the markers."""
    lines = [
        BEGIN,
        "| five toy agents above one low level per robot, looking at every step. Speed: mean of 6 s; RMS: at every step"
        " | reinfer | published |",
        "|---|---|---|",
        *robot_rows(),
        f"| meta-training steps on any of them | **0** (their low levels, for all tasks: {low_level_range()}) | |",
    ]
    if not missing("low"):
        low = load("low")
        goals, speeds = 1000 * low["goal_error_m"], 100 * low["speed_error_windowed"]
        lines.append(f"| half-cheetah, low level told goals / speeds | {goals:.1f} mm / {speeds:.1f} % | |")
    if not any(missing(f"toy_seed{seed}") for seed in SEEDS):
        returns = [load(f"toy_seed{seed}")["return_mean"] for seed in SEEDS]
        lines.append(f"| toy: return on held-out tasks | {statistics.mean(returns):.1f} | -55 |")
    lines += readme_rows()
    if (RESULTS / "compare_cheetah-vel.json").exists():
        lines += cheetah_vel_table(load("compare_cheetah-vel")["agents"])
    return "\n".join([*lines, END])


def low_level_range() -> str:
    """Fewest and most control steps that a low level of the robots in the first table took."""
    steps = [low_level_steps(f"{body}/low") / 1e6 for body in ("half_cheetah", *PUBLISHED)]
    return f"{min(steps):.0f} to {max(steps):.0f} M steps"


def robot_rows() -> list[str]:
    """Of the README's first table: the contest of every robot, and of what is learned alone."""
    rows, published = [], {"half_cheetah": HALF_CHEETAH, **PUBLISHED}
    for body, other in published.items():
        name = {"half_cheetah": "transfer_standard"}.get(body, f"transfer_{body}")
        if missing(name):
            continue
        found = load(name)
        # A learned stride has met tasks on the robot, by their rewards.
        found = found["ablation"]["1"] if found["stride"] == "learned" else found
        position, velocity = found["position"]["settled_error_m"], found["velocity"]
        ours = bold(f"{position:.3f} m", position < other.position_m)
        speed = bold(in_mps(velocity), velocity["windowed_error_mps"] < other.velocity_mps)
        alone = learned_alone(body)
        alone = f"; learned part alone {alone['position']['settled_error_m']:.2f} m" if alone else ""
        rows.append(f"| {body}: position / speed | {ours}{alone} / {speed} | {other.text} |")
    return rows


def in_mps(velocity: dict) -> str:
    """The error of the mean speed over the end of an episode, absolute and relative, and of that at every step."""
    whole = f"{velocity['windowed_error_mps']:.3f} m/s ({100 * velocity['windowed_relative_error']:.1f} %)"
    return f"{whole}, RMS {velocity['instantaneous_rms_mps']:.2f} m/s"


def write_pages() -> None:
    """docs/results.md, docs/scale.md once all that it rests on was measured, and the README's block."""
    (ROOT / "docs" / "results.md").write_text(page())
    if (RESULTS / "ablation.json").exists():
        save_figure(ablation_figure(load("ablation")), RESULTS / "ablation.svg")
    rests_on = [load(name) for name in SCALE if (RESULTS / f"{name}.json").exists()]
    if len(rests_on) == len(SCALE) and {"toy", "scaling"} <= rests_on[0].keys():
        (ROOT / "docs" / "scale.md").write_text(scale_page(*rests_on))
    else:
        print(f"docs/scale.md is left as it is: {', '.join(SCALE)}.json were not all measured", file=sys.stderr)
    readme = (ROOT / "README.md").read_text()
    before, _, rest = readme.partition(BEGIN)
    (ROOT / "README.md").write_text(before + readme_table() + rest.partition(END)[2])


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked != ["--pages"] and not set(asked) <= set(COMMANDS):
        sys.exit(f"{__doc__}\nNAME is one of: {', '.join(COMMANDS)}")
    if asked != ["--pages"]:
        evaluate(asked or list(COMMANDS))
    write_pages()
