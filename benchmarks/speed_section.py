"""The part of docs/results.md on speed: what ``benchmarks/speed.py`` measured."""

import statistics

import numpy as np

from reinfer.evaluation.statistics import bootstrap_interval, interquartile_mean
from speed_physics import BARS
from speed_sac import SIZES


def speed_lines(found: dict) -> list[str]:
    """Tables of the parts that were measured."""
    parts = {
        "physics": physics_lines,
        "sac": sac_lines,
        "wallclock": wallclock_lines,
        "updates": updates_lines,
        "toy": toy_lines,
        "scaling": scaling_lines,
        "costs": costs_lines,
    }
    lines = []
    for name, written in parts.items():
        if name in found:
            lines += [*written(found[name]["found"]), "", source(found[name]), ""]
    return lines


def source(part: dict) -> str:
    """How and where a part was measured."""
    machine = part["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(versions_in(part["found"]).items()))
    return (
        f"`{part['command']}` on {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python "
        f"{machine['python']}, load before {machine['load_before']}" + (f"; {versions}." if versions else ".")
    )


def versions_in(found) -> dict[str, str]:
    """All versions of packages noted anywhere in ``found``."""
    if isinstance(found, list):
        return {name: version for part in found for name, version in versions_in(part).items()}
    if not isinstance(found, dict):
        return {}
    own = found.get("versions", {})
    return own | {name: version for part in found.values() for name, version in versions_in(part).items()}


def times(ratio: dict) -> str:
    """A ratio with its range over the rounds."""
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def physics_lines(found: dict) -> list[str]:
    """Control steps per second beside peers."""
    lines = [
        "### Physics",
        "",
        "Control steps per second, same model, integrator and steps; ratios are medians over rounds in which all take",
        "turns, with their range. With outcome: observations, rewards and falls, as AsyncVectorEnv returns them.",
        "`mujoco.rollout` is called once per control step; with all actions known (open loop) it is at its best.",
        "`fast` is another integrator, no like-for-like comparison.",
        "",
        "| body | simulations | ours, with outcome | over AsyncVectorEnv | ours, physics | over mujoco.rollout "
        "| over its open loop | ours, `fast` |",
        "|---" * 8 + "|",
    ]
    for name, part in found.items():
        body, _, count = name.partition("/")
        rate = {who: f"{what['rate']['median']:,.0f}" for who, what in part["contestants"].items()}
        ratio = {who: times(what) for who, what in part["ratio"].items()}
        lines.append(
            f"| {body} | {count} | {rate['environment']} | {ratio['async']} | {rate['physics']} | {ratio['rollout']} "
            f"| {ratio['open loop']} | {rate.get('fast', '')} |"
        )
    lines.append(f"| bar | | | >= {BARS['async']:g} | | >= {BARS['rollout']:g} | | |")
    below = [
        f"{name.replace('/', ' with ')} ({ratio['median']:.2f}, bar {BARS[who]:g})"
        for name, part in found.items()
        for who, ratio in part["ratio"].items()
        if ratio["median"] < BARS.get(who, 0.0)
    ]
    return [*lines, "", f"Below a bar: {', '.join(below) or 'none'}."]


def sac_lines(found: dict) -> list[str]:
    """Updates per second beside peers."""
    lines = [
        "### Soft actor-critic",
        "",
        "Updates per second at the half-cheetah's sizes, batches of 256 from a full replay; Stable-Baselines3 at the",
        "better of one thread and all cores.",
        "",
        "| hidden | updates per call | ours | Stable-Baselines3 | SBX | over Stable-Baselines3 | bar | over SBX "
        "| compiling: ours, SBX, s |",
        "|---" * 9 + "|",
    ]
    for size, part in found.items():
        who, bar = part["contestants"], SIZES[size][2]
        rate = {name: f"{what['rate']['median']:,.0f}" for name, what in who.items()}
        lines.append(
            f"| {size.partition(',')[0]} | {part['updates_per_call']} | {rate['ours']} "
            f"| {rate[part['best_sb3']]} ({part['best_sb3'].partition(', ')[2]}) | {rate['sbx']} "
            f"| {times(part['ratio']['sb3'])} | {f'>= {bar:g}' if bar else ''} | {times(part['ratio']['sbx'])} "
            f"| {who['ours']['compile_s']:.1f}, {who['sbx']['compile_s']:.1f} |"
        )
    return lines


def wallclock_lines(found: dict) -> list[str]:
    """Errors after the same training time, and of the SACs after the same updates."""
    contestants = found["contestants"]
    shares = (1 / 8, 1 / 4, 1 / 2, 1.0)
    heads = " | ".join(f"{share * found['minutes']:g} min" for share in shares)
    lines = [
        "### Score after the same time",
        "",
        "Half-cheetahs that track one forward speed (0.3 to 3 m/s) per episode: error of the mean speed, relative,",
        f"over 64 speeds; training time includes compiling. Training seeds: {found['seeds']}"
        f"{' (median)' if found['seeds'] > 1 else ''}, {found['cores']} core{'s' * (found['cores'] > 1)} each.",
        "",
        f"| | {heads} | control steps | updates |",
        "|---" * (len(shares) + 3) + "|",
    ]
    for name, runs in contestants.items():
        errors = [median_at(runs, "wall_s", share * 60 * found["minutes"]) for share in shares]
        last = {key: statistics.median(run["curve"][-1][key] for run in runs) for key in ("steps", "updates")}
        cells = " | ".join(f"{100 * error:.1f} %" for error in errors)
        lines.append(f"| {name} | {cells} | {last['steps']:,.0f} | {last['updates']:,.0f} |")
    same = {name: runs for name, runs in contestants.items() if name.endswith("SAC")}
    most = min(run["curve"][-1]["updates"] for runs in same.values() for run in runs)
    updates = [most * share for share in shares]
    lines += [
        "",
        "The same at equal updates, which are equal control steps:",
        "",
        f"| | {' | '.join(f'{count:,.0f}' for count in updates)} |",
        "|---" * (len(shares) + 1) + "|",
    ]
    for name, runs in same.items():
        cells = " | ".join(f"{100 * median_at(runs, 'updates', count):.1f} %" for count in updates)
        lines.append(f"| {name} | {cells} |")
    return lines


def updates_lines(found: dict) -> list[str]:
    """Errors after the same updates, which are the same control steps."""
    updates = [share * found["updates"] for share in (1 / 4, 1 / 2, 3 / 4, 1.0)]
    lines = [
        "### Score after the same updates",
        "",
        f"The same task, hidden layers of {found['hidden']} x {found['hidden']}: error of the mean speed, interquartile"
        f" mean over {found['seeds']} training",
        "seeds and its 95 % interval; in the last column the reward per step after all updates. Weights begin as small",
        "as PyTorch's (`networks.narrow`); *wide*: with six times the variance.",
        "",
        f"| updates | {' | '.join(f'{count:,.0f}' for count in updates)} | reward |",
        "|---" * (len(updates) + 2) + "|",
    ]
    for name, runs in found["contestants"].items():
        errors = [spread_at(runs, "updates", count, "error", 100.0, " %", 1) for count in updates]
        reward = spread_at(runs, "updates", updates[-1], "reward", 1.0, "", 2)
        lines.append(f"| {name} | {' | '.join(errors)} | {reward} |")
    return lines


def values_at(runs: list[dict], axis: str, place: float, key: str) -> list[float]:
    """Of every run ``key`` at ``place`` on ``axis``, on straight lines between what was judged."""
    curves = [[(row[axis], row[key]) for row in run["curve"]] for run in runs]
    return [float(np.interp(place, *zip(*curve, strict=True))) for curve in curves]


def median_at(runs: list[dict], axis: str, place: float) -> float:
    """Median of the errors over ``runs``."""
    return statistics.median(values_at(runs, axis, place, "error"))


def spread_at(runs: list[dict], axis: str, place: float, key: str, factor: float, unit: str, digits: int) -> str:
    """Interquartile mean over ``runs`` and its interval, times ``factor``, in words."""
    values = factor * np.array(values_at(runs, axis, place, key))
    low, high = bootstrap_interval(values[:, None], np.zeros(1), seed=0)
    return f"{interquartile_mean(values):.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"


def toy_lines(found: dict) -> list[str]:
    """The toy's meta-training and starting up."""
    starts = ", ".join(f"`{name}` {value['median']:.2f} s" for name, value in found["start_s"].items())
    return [
        "### Toy and start",
        "",
        "Meta-training in which the policy acts, the mixture's fits included; no peer.",
        "",
        "| updates/s | environment steps/s | iteration, s | first iteration from a cold start, s | peak memory, MiB |",
        "|---" * 5 + "|",
        f"| {found['updates_per_s']['median']:.1f} | {found['steps_per_s']['median']:,.0f} "
        f"| {found['iteration_s']:.1f} | {found['first_iteration_s']:.1f} | {found['peak_mib']:,.0f} |",
        "",
        f"From start to end of a process: {starts}.",
    ]


def scaling_lines(found: dict) -> list[str]:
    """How ours grows."""
    return [
        "### Scaling",
        "",
        f"Control steps per second of the {found['body']}, with outcome, by number of simulations:",
        "",
        *rates_table(found["physics"]),
        "",
        "The same of the whole hierarchy, which infers and solves a task per robot ([what follows](scale.md)):",
        "",
        *rates_table(found["hierarchy"]),
        "",
        "Cold fits of the Dirichlet-process mixture:",
        "",
        *fits_table(found["mixture"]),
    ]


def costs_lines(found: dict) -> list[str]:
    """Where the time of trainings goes."""
    lines = [
        "### Where the time goes",
        "",
        "Of an iteration in the middle of a training, by what is done in it; compiling, once and without the cache, is",
        "apart.",
        "",
        "| training | part | ms per iteration | share | compiling, s |",
        "|---" * 5 + "|",
    ]
    for name, part in found.items():
        title, compiling = " ".join(filter(None, (name, part["body"]))), f"{part['compile_s']:.1f}"
        for what, seconds in sorted(part["parts"].items(), key=lambda item: -item[1]):
            share = f"{100 * seconds / part['iteration_s']:.0f} %"
            lines.append(f"| {title} | {what} | {1000 * seconds:,.1f} | {share} | {compiling} |")
            title = compiling = ""
    return lines


def rates_table(rows: list[dict]) -> list[str]:
    """Control steps per second by how many there are."""
    heads = " | ".join(str(row["count"]) for row in rows)
    cells = " | ".join(f"{row['steps_per_s']['median']:,.0f}" for row in rows)
    return [f"| {heads} |", "|---" * len(rows) + "|", f"| {cells} |"]


def fits_table(rows: list[dict]) -> list[str]:
    """Seconds per fit of the mixture."""
    return [
        "| points | true components | seconds |",
        "|---" * 3 + "|",
        *(f"| {row['points']:,} | {row['components']} | {row['seconds']['median']:.2f} |" for row in rows),
    ]
