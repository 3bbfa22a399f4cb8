"""Evaluate the shipped models with reinfer's own commands and write docs/results.md and the README's table.

python benchmarks/results.py           (about 12 minutes on 2 cores)
python benchmarks/results.py NAME...   only those commands, e.g. toy_seed0 transfer_standard
python benchmarks/results.py --pages   only rewrite the pages from the figures of the last evaluation

No number in either page is typed: all come from docs/results/*.json, which the named commands printed.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from ablation_section import ablation_lines
from comparison_section import comparison_lines
from process_section import process_lines
from robustness_section import randomisation_lines, robustness_lines

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
SEEDS = range(5)
#: Robots beside the half-cheetah, and what was published of them: position in m, velocity in m/s.
PUBLISHED = {"walker2d": "thesis 0.93 m, 1.1 m/s", "hopper": "thesis 1.95 m, 0.44 m/s"}
COMMANDS = {
    **{f"toy_seed{seed}": f"eval toy --model shipped:toy/seed{seed} --json" for seed in SEEDS},
    "low": "eval low --body half_cheetah --json",
    "transfer_standard": "eval transfer --body half_cheetah --tasks standard --seeds 5 --ablation --json",
    "transfer_heldout": "eval transfer --body half_cheetah --tasks heldout --seeds 5 --json",
    **{f"low_{body}": f"eval low --body {body} --json" for body in PUBLISHED},
    **{
        f"transfer_{body}": f"eval transfer --body {body} --tasks standard --seeds 5 --stride 1 --json"
        for body in PUBLISHED
    },
    "robustness": "eval robustness --seeds 2 --json",
    "change_toy": "eval change --body toy1d --seeds 3 --compare --json",
    "change_half_cheetah": "eval change --body half_cheetah --seeds 2 --json",
    "toy3dof": "eval toy --model shipped:toy3dof/seed0 --json",
    "process": "eval process --body half_cheetah walker2d hopper --steps 1 1x10 5 10 --json",
}
#: Commands of a robot that stands and jumps too, left out by default until such models are shipped.
MULTI = {
    "low_multi": "eval low --body half_cheetah --model shipped:half_cheetah/multi --json",
    "transfer_multi": "eval transfer --body half_cheetah --tasks multi --json",
}
COMMANDS |= MULTI
BEGIN, END = "<!-- results: written by benchmarks/results.py -->", "<!-- end of results -->"


def evaluate(names) -> None:
    """Run the commands called ``names`` and keep what they print."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        command = COMMANDS[name]
        print("reinfer", command, flush=True)
        line = [sys.executable, "-m", "reinfer.cli.main", *command.split()]
        found = json.loads(subprocess.run(line, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
        if rows := found.pop("by_command", None):
            found["up_to_2_mps"] = up_to(rows, 2.0)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def up_to(rows: list[dict], speed_mps: float) -> dict:
    """Speed error and falls without the commands of speeds beyond ``speed_mps``, which not every body was asked for."""
    rows = [row for row in rows if row["kind"] != "velocity" or abs(row["target"]) <= speed_mps]
    speeds = [row["error"] for row in rows if row["kind"] == "velocity"]
    return {
        "speed_error_windowed": statistics.mean(speeds),
        "fall_rate": statistics.mean(row["fallen"] for row in rows),
        "commands": len(rows),
    }


def load(name: str) -> dict:
    """Figures of one command."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def missing(name: str) -> list[str]:
    """What to say in place of figures that there are none of; empty where there are."""
    if (RESULTS / f"{name}.json").exists():
        return []
    return [f"Not evaluated with the present models: `reinfer {COMMANDS[name]}`.", ""]


def spread(values, digits: int) -> str:
    """Mean over seeds and the range."""
    values = list(values)
    return f"{statistics.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def toy_rows() -> list[str]:
    """Table rows of the toy."""
    toys = [load(f"toy_seed{seed}") for seed in SEEDS]
    worst = [min(toy["return_by_family"].values()) for toy in toys]
    times = {k: v for k, v in load("training").items() if k.startswith("toy/")}
    return [
        f"| return on 40 held-out tasks | {spread((t['return_mean'] for t in toys), 2)} | >= -10 | -55 |",
        f"| return, worst family | {spread(worst, 2)} | >= -16 | -75 |",
        f"| family known after 5 rows | {spread((t['class_accuracy_by_rows']['5'] for t in toys), 3)} "
        "| >= 0.99 | 0.99 |",
        f"| relative target error after 10 rows | {spread((t['target_error_by_rows']['10'] for t in toys), 4)} "
        "| <= 0.01 | no target head |",
        f"| mixture: purity | {spread((t['purity'] for t in toys), 3)} | >= 0.98 | |",
        f"| mixture: NMI of merged components | {spread((t['nmi'] for t in toys), 3)} | >= 0.95 | |",
        f"| training from a cold start, s | {spread((t['seconds'] for t in times.values()), 0)} | <= 180 | days |",
    ]


def low_rows() -> list[str]:
    """Table rows of the low levels, a robot each."""
    rows = []
    for body, name in {"half_cheetah": "low", **{body: f"low_{body}" for body in PUBLISHED}}.items():
        if missing(name):
            rows.append(f"| {body} | not evaluated with the present model |" + " |" * 5)
            continue
        low, seconds = load(name), load("training").get(f"{body}/low", {}).get("seconds")
        rows.append(
            f"| {body} | {low['goal_error_m']:.4f} | {100 * low['speed_error_windowed']:.1f} % "
            f"| {100 * low['up_to_2_mps']['speed_error_windowed']:.1f} % | {100 * low['fall_rate']:.1f} % "
            f"| {100 * low['up_to_2_mps']['fall_rate']:.1f} % "
            f"| {'not measured' if seconds is None else f'{seconds / 60:.1f}'} |"
        )
    return rows


def transfer_rows(name: str) -> list[str]:
    """Table rows of one contest."""
    found = load(name)
    rows = []
    for agent in ("toy", "oracle", "random", "zero"):
        part = found if agent == "toy" else found[agent]
        position, velocity = part["position"], part["velocity"]
        label = "**toy agent, told only rewards**" if agent == "toy" else agent
        rows.append(
            f"| {label} | {position['settled_error_m']:.3f} | {position['settled_fraction']:.2f} "
            f"| {100 * velocity['windowed_relative_error']:.1f} % | {velocity['settled_fraction']:.2f} "
            f"| {part['integrated_error_s']['mean']:.2f} | {part['fall_rate']:.3f} |"
        )
    return rows


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


def family_rows(name: str) -> list[str]:
    """Table rows of one contest by task family."""
    rows = []
    for family, part in load(name)["by_family"].items():
        error = part["settled_error"]["mean"]
        size = f"{error:.3f} m" if family.startswith("goal") else f"{100 * part['relative_error']['mean']:.1f} %"
        rows.append(
            f"| {family} | {size} | {part['settled_fraction']:.2f} | {part['integrated_error_s']['mean']:.2f} |"
        )
    return rows


def stride_verdict(name: str) -> str:
    """One sentence on the learned stride against the best of the others, by integrated error."""
    found = {stride: part["integrated_error_s"] for stride, part in load(name)["ablation"].items()}
    learned = found.pop("learned")
    best = min(found, key=lambda stride: found[stride]["mean"])
    low, high = learned["interval"]
    other = found[best]
    if learned["mean"] < other["mean"]:
        verdict = f"the learned stride has the lowest mean; the next is stride {best}"
    else:
        verdict = (
            f"stride {best} has a lower mean than the learned one: on this body looking more often costs nothing, "
            "so there is little to be learned"
        )
    overlap = low <= other["interval"][1] and other["interval"][0] <= high
    return f"By integrated error {verdict}; their intervals {'overlap' if overlap else 'do not overlap'}."


def change_rows(name: str) -> list[str]:
    """Table rows of tasks that change, per memory."""
    rows = []
    for memory, figures in load(name)["memory"].items():
        for part in ("first", "after_change"):
            row = figures[part]
            rows.append(
                f"| {memory} | {part.replace('_', ' ')} | {row['rows_to_identify']:.1f} "
                f"| {row['rows_to_identify_p95']:.0f} | {100 * row['identified_in_5_rows']:.0f} % "
                f"| {row['position_error_m']:.3f} m | {100 * row['velocity_error']:.1f} % |"
            )
    return rows


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


def ablation() -> list[str]:
    """The section on other encoders and priors; empty where none were trained."""
    if not (RESULTS / "ablation.json").exists():
        return []
    return [
        "## Other encoders and priors on the toy",
        "",
        "`python benchmarks/ablation.py`: one training each, seed 0, all else as by default; returns over the 40",
        "held-out tasks as above (bar: -20 for every encoder and prior; -12 on the mirrored tasks for an equivariant",
        "encoder that was trained forward only). `product` and `learned` combine evidence per transition.",
        "",
        *ablation_lines(load("ablation")),
    ]


def comparison() -> list[str]:
    """The section on meta-training on the robot itself; empty where none was done."""
    found = sorted(RESULTS.glob("compare_*.json"))
    if not found:
        return []
    lines = [line for path in found for line in comparison_lines(json.loads(path.read_text()))]
    head = "`python benchmarks/comparison.py`: all on the half-cheetah."
    return ["## Meta-training on the robot itself", "", head, "", *lines]


def all_families() -> list[str]:
    """The section on the toy of three degrees of freedom, the low level above it and tasks of all seven families."""
    lines = ["## All seven families", ""]
    if missing("toy3dof"):
        return lines + missing("toy3dof")
    toy = load("toy3dof")
    lines += [
        f"`reinfer {COMMANDS['toy3dof']}`: return {toy['return_mean']:.1f} over {toy['n_tasks']} held-out tasks",
        f"(bar -20; published -79; told the task, about -18), families known after 10 rows: "
        f"{100 * toy['class_accuracy_by_rows']['10']:.1f} %.",
        "",
    ]
    if missing("low_multi") or missing("transfer_multi"):
        return [*lines, *missing("low_multi"), *missing("transfer_multi")]
    low, contest = load("low_multi"), load("transfer_multi")
    lines += [
        f"`reinfer {MULTI['low_multi']}`: goals {low['goal_error_m']:.4f} m, speeds "
        f"{100 * low['speed_error_windowed']:.1f} %, stands {low['stand_error_rad']:.3f} rad,",
        f"highest |vz| of a second {100 * low['jump_peak_error']:.1f} % off (mean |vz| {low['jump_mean_ratio']:.2f} of "
        f"the target), falls {100 * low['fall_rate']:.1f} %.",
        "",
        f"`reinfer {MULTI['transfer_multi']}`: families known after 10 rows: "
        f"{100 * contest['class_accuracy_by_rows']['10']:.1f} %.",
        "",
        "| | position, m | velocity | stand, rad | jump, peak of \\|vz\\| | falls |",
        "|---" * 6 + "|",
    ]
    for agent in ("toy", "oracle", "random", "zero"):
        part = contest if agent == "toy" else contest[agent]
        lines.append(
            f"| {agent} | {part['position']['settled_error_m']:.3f} "
            f"| {100 * part['velocity']['windowed_relative_error']:.1f} % "
            f"| {part['stand']['settled_error_rad']:.3f} "
            f"| {100 * part['jump']['peak_relative_error']:.1f} % | {part['fall_rate']:.3f} |"
        )
    return [*lines, ""]


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


def page() -> str:
    """docs/results.md."""
    head = "| | settled error, m | settled | windowed speed error | settled | integrated error, s | falls |"
    lines = [
        "# Results",
        "",
        "Written by `python benchmarks/results.py` from the JSON of the commands named below (`docs/results/`);",
        "training times by `python benchmarks/train_shipped.py`. Ranges are over five training seeds.",
        "",
        "## Toy",
        "",
        "`reinfer eval toy --model shipped:toy/seedN --json`. A controller told the task scores -6.25.",
        "",
        "| | ours: mean (range) | bar | published |",
        "|---|---|---|---|",
        *toy_rows(),
        "",
        "## Low level",
        "",
        "`reinfer eval low --body BODY --json`: goals 0.3 to 3 m away; speeds from 0.3 m/s to the highest (3 m/s,",
        "walker2d 2.5 m/s, hopper 2 m/s), and to 2 m/s, both ways, over 3 s. Published: nine days of training for",
        "0.5 to 1.5 m on the half-cheetah.",
        "",
        "| | goals, m | speeds, relative | to 2 m/s | falls in 30 s | to 2 m/s | training, min |",
        "|---|---|---|---|---|---|---|",
        *low_rows(),
        "| bar | <= 0.03 | <= 2 % | | <= 1 % | | <= 15 |",
        "",
    ]
    for name, title in (("transfer_standard", "the 12 standard tasks"), ("transfer_heldout", "120 held-out tasks")):
        lines += [f"## Transfer to the half-cheetah, {title}", ""]
        if missing(name):
            lines += missing(name)
            continue
        lines += [
            f"`reinfer {COMMANDS[name]}`: 24 s per task, settled over the last quarter. The oracle is told the task.",
            "Published: thesis 1.48 m and 0.24 m/s; ReMAP, whose agent is given the target, 0.073 m and",
            "0.40 to 0.47 m/s instantaneous.",
            "",
            head,
            "|---" * 7 + "|",
            *transfer_rows(name),
            "",
            "The toy agent by family:",
            "",
            "| | settled error | settled | integrated error, s |",
            "|---" * 4 + "|",
            *family_rows(name),
            "",
        ]
    lines += ["## Transfer to other robots, the 12 standard tasks of each", ""]
    for body, published in PUBLISHED.items():
        name = f"transfer_{body}"
        if missing(name):
            lines += missing(name)
            continue
        lines += [f"`reinfer {COMMANDS[name]}`. Published: {published}.", "", head.replace("| |", f"| {body} |", 1)]
        lines += ["|---" * 7 + "|", *transfer_rows(name), "", "| | settled error | settled | integrated error, s |"]
        lines += ["|---" * 4 + "|", *family_rows(name), ""]
    lines += [
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
        *differences(),
        "## Tasks that change mid-episode",
        "",
        "Three tasks per episode, goals for 30 s and velocities for 10 s each. Identified: family and, to 5 %, target",
        "right at three looks running. `forget`, the default: rows from before a change, as the agent finds it, are",
        "dropped; `keep`: all of the window counts.",
        "",
    ]
    for name in ("change_toy", "change_half_cheetah"):
        if missing(name):
            lines += missing(name)
            continue
        lines += [
            f"`reinfer {COMMANDS[name]}`",
            "",
            "| memory | tasks | rows to identify | 95 % | within 5 rows | position | velocity |",
            "|---" * 7 + "|",
            *change_rows(name),
            "",
        ]
    return "\n".join(lines + comparison() + ablation() + process() + all_families())


def readme_table() -> str:
    """The block of the README between the markers."""
    toys = [load(f"toy_seed{seed}") for seed in SEEDS]
    low, contest = load("low"), load("transfer_standard")
    lines = [
        BEGIN,
        "| half-cheetah, five training seeds | reinfer | published |",
        "|---|---|---|",
        f"| position tasks, settled error | **{contest['position']['settled_error_m']:.3f} m** "
        "| thesis 1.48 m; ReMAP 0.073 m, target given |",
        f"| velocity tasks, windowed error | **{100 * contest['velocity']['windowed_relative_error']:.1f} %** "
        "| thesis 0.24 m/s; ReMAP 0.40-0.47 m/s inst. |",
        "| meta-training steps on the robot | **0** | |",
        f"| low level: goals / speeds | {1000 * low['goal_error_m']:.1f} mm "
        f"/ {100 * low['speed_error_windowed']:.1f} % | |",
        f"| toy: return on held-out tasks | {statistics.mean(t['return_mean'] for t in toys):.1f} | -55 |",
    ]
    for body, published in PUBLISHED.items():
        if not missing(f"transfer_{body}"):
            found = load(f"transfer_{body}")
            lines.append(
                f"| {body}: position / velocity | **{found['position']['settled_error_m']:.3f} m** "
                f"/ **{100 * found['velocity']['windowed_relative_error']:.1f} %** | {published} |"
            )
    return "\n".join([*lines, END])


def write_pages() -> None:
    """docs/results.md and the README's block."""
    (ROOT / "docs" / "results.md").write_text(page())
    readme = (ROOT / "README.md").read_text()
    before, _, rest = readme.partition(BEGIN)
    (ROOT / "README.md").write_text(before + readme_table() + rest.partition(END)[2])


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked != ["--pages"] and not set(asked) <= set(COMMANDS):
        sys.exit(f"{__doc__}\nNAME is one of: {', '.join(COMMANDS)}")
    if asked != ["--pages"]:
        evaluate(asked or [name for name in COMMANDS if name not in MULTI])
    write_pages()
