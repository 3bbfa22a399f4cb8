"""How well a low-level policy follows commands it was never given in training."""

import numpy as np

from reinfer.bodies import Body
from reinfer.control.commands import Commands, promised, trained_kinds
from reinfer.control.following import follow
from reinfer.evaluation.jumps import recent_peak
from reinfer.simulation import BatchSimulation
from reinfer.tasks import GOAL, JUMP, KINDS, STAND, VELOCITY

ERROR_S, WINDOW_S, FALL_S = 12.0, 3.0, 30.0


def unseen_commands(kind: int, x, ranges, rng: np.random.Generator) -> Commands:
    """Half forward, half backward commands of one ``kind`` for bodies at ``x`` (N,), uniform over the test
    range.

    Goals 0.3 m to ``goal_m`` away; speeds and pitches over their trained ranges, jumps likewise but positive.
    """
    low, high = {
        GOAL: (0.3, ranges.goal_m),
        VELOCITY: ranges.speed_mps,
        STAND: ranges.stand_rad,
    }.get(kind, ranges.jump_mps)
    magnitude = rng.uniform(low, high, len(x))
    sign = np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0)
    target = magnitude * sign if kind in (GOAL, VELOCITY, STAND) else magnitude
    return Commands(np.full(len(x), kind), np.asarray(x) + target if kind == GOAL else target)


def evaluate_low_level(policy, body: Body, seed: int, *, per_kind: int = 128, threads: int = 0) -> dict:
    """Errors and falls over ``per_kind`` unseen commands of each trained kind, over what the body promises.

    Errors are over the last 3 s of 12: ``goal_error_m`` is the mean distance to the goal,
    ``speed_error_windowed`` the error of the mean speed (distance over time) relative to the target,
    ``stand_error_rad`` the mean pitch error, ``jump_peak_error`` the mean error of the highest |vz| of the last second
    relative to the target, and ``jump_mean_ratio`` the mean |vz| over the target (about a half in free flight, see
    ``evaluation.jumps``); ``fall_rate`` is the share of 30 s episodes with a fall. A kind that was not trained gives
    None.
    """
    rng = np.random.default_rng([seed, 0x10E7])
    rows, falls, mean_ratio = [], [], None
    ranges = promised(body.commands, policy.ranges)
    for kind in trained_kinds(ranges):
        simulation = BatchSimulation(body, per_kind, threads)
        simulation.reset(rng)
        start = simulation.task_state()[:, 0]
        commands = unseen_commands(kind, start, ranges, rng)
        states, fallen = follow(policy, simulation, commands, FALL_S)
        error = _errors(kind, states, commands, simulation.control_dt_s)
        falls.append(fallen)
        if kind == JUMP:
            settled = np.abs(_settled(states, simulation.control_dt_s)[..., 4])
            mean_ratio = float((settled.mean(0) / commands.target).mean())
        asked = commands.target - start if kind == GOAL else commands.target
        rows += [
            {"kind": KINDS[kind], "target": float(t), "error": float(e), "fallen": bool(f)}
            for t, e, f in zip(asked, error, fallen, strict=True)
        ]

    def mean_error(kind):
        errors = [row["error"] for row in rows if row["kind"] == KINDS[kind]]
        return float(np.mean(errors)) if errors else None

    return {
        "body": body.name,
        "goal_error_m": mean_error(GOAL),
        "speed_error_windowed": mean_error(VELOCITY),
        "stand_error_rad": mean_error(STAND),
        "jump_peak_error": mean_error(JUMP),
        "jump_mean_ratio": mean_ratio,
        "fall_rate": float(np.mean(falls)),
        "by_command": rows,
    }


def _settled(states, dt):
    """The last ``WINDOW_S`` before ``ERROR_S`` of states (T, N, 6)."""
    end = round(ERROR_S / dt)
    return states[end - round(WINDOW_S / dt) : end]


def _errors(kind, states, commands, dt):
    settled = _settled(states, dt)
    if kind == GOAL:
        return np.abs(settled[..., 0] - commands.target).mean(0)
    if kind == VELOCITY:
        mean_speed = (settled[-1, :, 0] - settled[0, :, 0]) / ((len(settled) - 1) * dt)
        return np.abs(mean_speed - commands.target) / np.abs(commands.target)
    if kind == STAND:
        return np.abs(settled[..., 2] - commands.target).mean(0)
    peak = recent_peak(states[..., 4], dt)[round((ERROR_S - WINDOW_S) / dt) : round(ERROR_S / dt)]
    return np.abs(peak / commands.target - 1.0).mean(0)
