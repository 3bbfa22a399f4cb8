"""docs/scale.md: what more tasks, robots and trainings cost, computed from what was measured."""

import math

import numpy as np

from evaluations import MODELS
from reinfer.runs.models import load_model
from reinfer.stages.toy import PRESETS as TOY
from speed_section import fits_table

SIZES = (10, 1_000, 100_000)


def scale_page(speed: dict, seeds: dict, training: dict) -> str:
    """The page, from ``speed.json``, ``seeds.json`` and ``training.json`` of docs/results."""
    toy, scaling = speed["toy"]["found"], speed["scaling"]["found"]
    machine = speed["scaling"]["machine"]
    lines = [
        "# Scale",
        "",
        "What more tasks, robots and trainings cost. Everything here is computed by",
        "`python benchmarks/results.py --pages` from what [was measured](results.md#speed) by",
        "`benchmarks/speed.py`, `benchmarks/seeds.py` and",
        f"`benchmarks/train_shipped.py`, on {machine['processor']}, {machine['cores']} cores. Figures beyond what was",
        "measured are extrapolated, and say so.",
        "",
        *tasks_lines(toy),
        *robots_lines(scaling),
        *trainings_lines(seeds, training),
        "## The mixture",
        "",
        "The prior is fitted once per iteration on the host. A cold fit takes:",
        "",
        *fits_table(scaling["mixture"]),
    ]
    return "\n".join(lines) + "\n"


def said(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, size in (("years", 365.0 * 86400.0), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{1000.0 * seconds:.3g} ms"


def tasks_lines(toy: dict) -> list[str]:
    """Tasks met in training."""
    config = TOY[toy["preset"]]
    rate = toy["updates_per_s"]["median"]
    each = config.behaviour_episodes + config.policy_episodes
    start = toy["first_iteration_s"] - toy["iteration_s"]
    # The agent's own episodes begin later than those of random behaviours.
    own = (1.0 - config.policy_from) * config.policy_episodes
    met = round(config.iterations * config.updates * (config.behaviour_episodes + own))
    rows = []
    for size in SIZES:
        updates = math.ceil(size / each)
        rows.append(f"| {size:,} | {updates:,} | {said(start + updates / rate)} | {size / met:.2g} |")
    return [
        "## Training tasks",
        "",
        "Tasks are drawn afresh for every episode, so that none is stored and memory does not depend on how many",
        f"there are. An update draws {each}, and {rate:.1f} updates a second are done while the policy acts; before",
        f"the first come {said(start)} of imports and compilation. Time to meet so many tasks once, and as a share of",
        f"the {met:,} that the default training meets:",
        "",
        "| tasks | updates | time | share of a default training |",
        "|---|---|---|---|",
        *rows,
        "",
    ]


def step_time(rows: list[dict]) -> tuple[float, float]:
    """Seconds per control step of N robots, as (fixed, per robot): least squares of relative errors."""
    count = np.array([row["count"] for row in rows], float)
    taken = count / np.array([row["steps_per_s"]["median"] for row in rows])
    design = np.stack([np.ones_like(count), count], axis=1) / taken[:, None]
    fixed, each = np.linalg.lstsq(design, np.ones_like(count), rcond=None)[0]
    return float(fixed), float(each)


def robots_lines(scaling: dict) -> list[str]:
    """Robots that solve unknown tasks at once."""
    rows, body, dt_s = scaling["hierarchy"], scaling["body"], scaling["control_dt_s"]
    fixed, each = step_time(rows)
    most = rows[-1]["count"]
    memory = (rows[-1]["peak_mib"] - rows[0]["peak_mib"]) / (most - rows[0]["count"])
    lines = [
        "## Robots at once",
        "",
        f"So many robots ({body}), each with a task of its own, in one process: physics, belief, sub-goal and low",
        f"level at every control step of {1000 * dt_s:g} ms. Memory is the peak of the process.",
        "",
        "| robots | control steps per second, in all | time per control step | faster than real time | memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        taken = row["count"] / row["steps_per_s"]["median"]
        lines.append(
            f"| {row['count']:,} | {row['steps_per_s']['median']:,.0f} | {said(taken)} | {dt_s / taken:.3g} x "
            f"| {row['peak_mib']:,.0f} |"
        )
    lines += [
        "",
        f"That is about {said(fixed)} per control step however many there are, and {1e6 * each:.3g} µs for each robot,",
        f"with {1024 * memory:.3g} KiB each. The {most:,} are the most that were measured. From this:",
        "",
        "| robots, by this reckoning | time per control step | memory | machines like this one, in real time |",
        "|---|---|---|---|",
    ]
    for size in SIZES:
        taken = fixed + each * size
        total = rows[0]["peak_mib"] + memory * size
        held = f"{total / 1024:.2g} GiB" if total >= 1024 else f"{total:,.0f} MiB"
        # Each machine pays the fixed share for itself.
        alone = math.floor((dt_s - fixed) / each)
        name = f"{size:,}" if size <= most else f"{size:,} (extrapolated)"
        lines.append(f"| {name} | {said(taken)} | {held} | {math.ceil(size / alone):,} |")
    return [*lines, ""]


def trainings_lines(seeds: dict, training: dict) -> list[str]:
    """Trainings of toys and low levels."""
    toys = [value["seconds"] for name, value in training.items() if name.startswith("toy/")]
    toy = sum(toys) / len(toys)
    together = toy * seeds["ratio_of_preset"] / seeds["seeds"]
    lows = {name.split("/")[0]: value["seconds"] for name, value in training.items() if name.endswith("/low")}
    slowest, quickest = max(lows, key=lows.get), min(lows, key=lows.get)
    rows = [
        f"| {size:,} | {said(size * toy)} | {said(size * together)} | {said(size * lows[quickest])} "
        f"| {said(size * lows[slowest])} |"
        for size in SIZES
    ]
    steps = load_model(MODELS / slowest / "low").provenance["last_metrics"]["env_steps"]
    return [
        "## Trainings",
        "",
        f"A toy takes {said(toy)} from a cold start (mean of {len(toys)}); {seeds['seeds']} in one program (`--seeds`)",
        f"take {seeds['ratio_of_preset']:.2f} times as long as one. A new robot costs one low level, of",
        f"{said(lows[quickest])} ({quickest}) to {said(lows[slowest])} ({slowest}, {steps / 1e6:.3g} million control",
        "steps), and no meta-training. On one machine, one after the other:",
        "",
        f"| trainings | toys | toys, {seeds['seeds']} at once | low levels, {quickest} | low levels, {slowest} |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *together_lines(seeds),
        "Trainings share nothing while they run: on M machines ([`reinfer sweep`](tutorials/sweeps.md) with",
        "`--address`) divide by M.",
        "",
    ]


def together_lines(seeds: dict) -> list[str]:
    """How the time of one program grows with the agents in it; empty where that was not measured."""
    if "by_count" not in seeds:
        return []
    ratios = {1: 1.0, seeds["seeds"]: seeds["ratio_of_preset"]}
    ratios |= {int(count): timed["ratio_of_preset"] for count, timed in seeds["by_count"].items()}
    counts = sorted(ratios)
    return [
        "Toys in one program, compilation included, in times of one; and what remains of that for each:",
        "",
        f"| toys | {' | '.join(map(str, counts))} |",
        "|---" * (len(counts) + 1) + "|",
        f"| all | {' | '.join(f'{ratios[count]:.2f}' for count in counts)} |",
        f"| each | {' | '.join(f'{ratios[count] / count:.2f}' for count in counts)} |",
        "",
        f"{seeds['seeds']} that differ in a setting instead of their seeds (`--over`) take "
        f"{seeds['settings']['ratio_of_preset']:.2f} times as long as one.",
        "",
    ]
