"""The parts of docs/results.md on what is trained: the toys, and the low levels of robots."""

from evaluations import COMMANDS, MODELS, PUBLISHED, RESULTS, SEEDS, load, missing, spread
from reinfer.runs.models import load_model

#: Trainings of ``reinfer reproduce``, in their order.
STAGES = ("toy", "low", "stride")
#: How long the training of a low level may take.
LOW_LEVEL_BAR_MIN = 15


def trained() -> list[str]:
    """The sections on the toy and on low levels."""
    return [
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
        "walker2d 2.5 m/s, others 2 m/s), and to 2 m/s, both ways, over 3 s. Published: nine days of training for",
        "0.5 to 1.5 m on the half-cheetah.",
        "",
        "Each is one training, seed 0; the walker's is one of the two of eight runs that found a good gait"
        " ([why](architecture.md)).",
        "",
        "| | goals, m | speeds, relative | speeds to 2 m/s | falls in 30 s | falls to 2 m/s | control steps"
        " | training, min |",
        "|---" * 8 + "|",
        *low_rows(),
        f"| bar | <= 0.03 | <= 2 % | | <= 1 % | | | <= {LOW_LEVEL_BAR_MIN} |",
        "",
        *slow_low_levels(),
    ]


def toy_rows() -> list[str]:
    """Table rows of the toy; one that says so where the present models were not all evaluated."""
    unknown = [line for seed in SEEDS for line in missing(f"toy_seed{seed}")[:1]]
    if unknown:
        return [f"| {line} | | | |" for line in unknown]
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
        *decoded_rows(),
        f"| mixture: purity | {spread((t['purity'] for t in toys), 3)} | >= 0.98 | |",
        f"| mixture: NMI of merged components | {spread((t['nmi'] for t in toys), 3)} | >= 0.95 | |",
        f"| training from a cold start, s | {spread((t['seconds'] for t in times.values()), 0)} | <= 180 | days |",
        *seeds_rows(),
    ]


def decoded_rows() -> list[str]:
    """The table row on targets as they are decoded; empty where that was not evaluated."""
    if missing("inference"):
        return []
    decoded = next(row for row in load("inference")["toy"]["decoded"] if row["shift"] == "none")
    title = "the same as decoded, before [arithmetic](#what-is-learned-and-what-is-arithmetic)"
    return [f"| {title} | {spread(decoded['target_error'], 4)} | <= 0.01 | |"]


def seeds_rows() -> list[str]:
    """The table row on many seeds in one program; empty where they were not timed."""
    if not (RESULTS / "seeds.json").exists():
        return []
    found = load("seeds")
    share = f"from {found['iterations']} of {found['iterations_of_preset']} iterations"
    command = f"`python benchmarks/seeds.py --iterations {found['iterations']}`"
    title = f"{found['seeds']} seeds in one program ({command}, {share}), times that of one"
    return [f"| {title} | {found['ratio_of_preset']:.1f} | < 6 | |"]


def low_rows() -> list[str]:
    """Table rows of the low levels."""
    rows, others = [], [(body, f"low_{body}", f"{body}/low") for body in PUBLISHED]
    thrifty = ("half_cheetah, `--effort-price 0.05`", "low_thrifty", "half_cheetah/thrifty")
    for label, name, place in (("half_cheetah", "low", "half_cheetah/low"), thrifty, *others):
        if missing(name):
            rows.append(f"| {label} | not evaluated with the present model |" + " |" * 6)
            continue
        low, seconds = load(name), load("training").get(place, {}).get("seconds")
        rows.append(
            f"| {label} | {low['goal_error_m']:.4f} | {100 * low['speed_error_windowed']:.1f} % "
            f"| {100 * low['up_to_2_mps']['speed_error_windowed']:.1f} % | {100 * low['fall_rate']:.1f} % "
            f"| {100 * low['up_to_2_mps']['fall_rate']:.1f} % | {low_level_steps(place) / 1e6:.1f} M "
            f"| {'not measured' if seconds is None else f'{seconds / 60:.1f}'} |"
        )
    return rows


def low_level_steps(place: str) -> int:
    """Control steps on which the shipped low level at ``place`` was trained."""
    return int(load_model(MODELS / place).provenance["last_metrics"]["env_steps"])


def slow_low_levels() -> list[str]:
    """A sentence on the low levels that took longer than the bar; empty if none did."""
    shown = [body for body in PUBLISHED if not missing(f"low_{body}")]
    times = {body: load("training").get(f"{body}/low", {}).get("seconds", 0.0) / 60 for body in shown}
    slow = [f"{body} ({time:.1f} min)" for body, time in times.items() if time > LOW_LEVEL_BAR_MIN]
    return [f"Above the bar of {LOW_LEVEL_BAR_MIN} minutes: {', '.join(slow)}.", ""] if slow else []


def in_the_plane() -> list[str]:
    """The section on the toy in the plane."""
    lines = ["## The point in the plane", ""]
    if missing("toy2d"):
        return lines + missing("toy2d")
    toy = load("toy2d")
    family, worst = min(toy["return_by_family"].items(), key=lambda item: item[1])
    met = [toy["class_accuracy_by_rows"]["5"] >= 0.99, toy["purity"] >= 0.98]
    verdict = "both met" if all(met) else "neither met" if not any(met) else "one of them met"
    return [
        *lines,
        f"`reinfer {COMMANDS['toy2d']}`: goals and velocities to the left and right as well, eight families: return",
        f"{toy['return_mean']:.1f} over {toy['n_tasks']} held-out tasks, worst {worst:.1f} for "
        f"{family.replace('_', ' ')}; families known after 5 rows: {100 * toy['class_accuracy_by_rows']['5']:.1f} %,",
        f"relative target error after 10: {100 * toy['target_error_by_rows']['10']:.2f} %; purity of the mixture "
        f"{toy['purity']:.3f}. One training. Bars, those of the toy on a line: 99 % and purity 0.98, {verdict}.",
        "",
    ]


def all_families() -> list[str]:
    """The section on the toy of three degrees of freedom, the low level above it and tasks of all seven families."""
    lines = ["## All seven families", ""]
    on_the_robot = [*missing("low_multi"), *missing("transfer_multi")]
    if missing("toy3dof"):
        return [*lines, *missing("toy3dof"), *on_the_robot]
    toy = load("toy3dof")
    lines += [
        f"`reinfer {COMMANDS['toy3dof']}`: return {toy['return_mean']:.1f} over {toy['n_tasks']} held-out tasks",
        f"(bar -20; published -79; told the task, about -18), families known after 10 rows: "
        f"{100 * toy['class_accuracy_by_rows']['10']:.1f} %.",
        "",
    ]
    if on_the_robot:
        return [*lines, *on_the_robot]
    low, contest = load("low_multi"), load("transfer_multi")
    lines += [
        f"`reinfer {COMMANDS['low_multi']}`: goals {low['goal_error_m']:.4f} m, speeds "
        f"{100 * low['speed_error_windowed']:.1f} %, stands {low['stand_error_rad']:.3f} rad,",
        f"highest |vz| of a second {100 * low['jump_peak_error']:.1f} % off (mean |vz| {low['jump_mean_ratio']:.2f} of "
        f"the target), falls {100 * low['fall_rate']:.1f} %.",
        "",
        f"`reinfer {COMMANDS['transfer_multi']}`: families known after 10 rows: "
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


def from_nothing() -> list[str]:
    """The section on how long everything takes from nothing; empty where that was not timed."""
    if not (RESULTS / "reproduction.json").exists():
        return []
    return [
        "## From nothing",
        "",
        "`python benchmarks/reproduction.py`: `reinfer reproduce --body BODY`, one toy agent, in an empty folder and",
        "without compiled programs: minutes that the stages count themselves, all of it by the clock (bar: 30 minutes",
        "on two cores), and the figures it ends with. Minutes of other tables were measured in other hours, in which",
        "the same rented cores may be half as fast.",
        "",
        "| | cores | toy | low level | stride | evaluation | **in all** | settled error, m | speed error | falls |",
        "|---" * 10 + "|",
        *(reproduction_row(body, found) for body, found in load("reproduction").items()),
        "",
    ]


def trained_s(steps: dict[str, float], stage: str) -> float:
    """Seconds of the trainings of ``stage`` among the ``steps`` of ``reinfer reproduce``."""
    return sum(seconds for title, seconds in steps.items() if title.startswith(f"train {stage}"))


def reproduction_row(body: str, found: dict) -> str:
    """Minutes of the stages of one robot, and what came of it."""
    steps, figures = found["steps"], found["figures"]
    stages = [trained_s(steps, part) for part in STAGES]
    minutes = [seconds / 60 for seconds in (*stages, found["seconds"] - sum(stages), found["wall_s"])]
    *parts, whole = (f"{value:.1f}" for value in minutes)
    return (
        f"| {body} | {found['cores']} | {' | '.join(parts)} | **{whole}** | {figures['position_settled_error_m']:.3f} "
        f"| {100 * figures['velocity_windowed_error']:.1f} % | {figures['transfer_fall_rate']:.3f} |"
    )
