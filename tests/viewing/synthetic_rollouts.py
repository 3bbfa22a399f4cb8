"""Records and result files of a made-up agent, for tests of what is drawn from them."""

import numpy as np

from reinfer.tasks import FAMILY_NAMES, make_tasks, reward
from reinfer.transfer.record import RolloutRecord

STANDARD_TASKS = (
    *(("goal_forward" if x > 0 else "goal_backward", x) for x in (9.02, 5.10, 3.14, -3.14, -5.10, -9.02)),
    *(("velocity_forward" if v > 0 else "velocity_backward", v) for v in (2.35, 1.75, 1.15, -1.15, -1.75, -2.35)),
)


def holding(steps: int = 20) -> RolloutRecord:
    """A record of a stand and a jump, by an agent that knows all families and believes in each alike."""
    some = rollout(pairs=STANDARD_TASKS[:2], steps=steps)
    tasks = make_tasks([("stand_front", 0.5), ("jump", 2.0)])
    return some._replace(tasks=tasks, family_probability=np.full((steps, 2, len(FAMILY_NAMES)), 1 / len(FAMILY_NAMES)))


def rollout(seed: int = 0, pairs=STANDARD_TASKS, steps: int = 120, blur: float = 0.02) -> RolloutRecord:
    """A record of a half-cheetah that nears its target to ``blur`` m while the belief becomes certain."""
    rng = np.random.default_rng([seed, 0xFA4E])
    tasks, dt = make_tasks(pairs), 0.05
    count = len(pairs)
    seconds = dt * np.arange(steps + 1)[:, None]
    is_goal = np.array([name.startswith("goal") for name, _ in pairs])
    target = np.asarray(tasks.target, float)
    x = np.where(is_goal, target * (1 - np.exp(-seconds)), target * (seconds - 1 + np.exp(-seconds)))
    x = x + blur * rng.standard_normal(count)
    gait = 0.3 * np.sin(2 * np.pi * 3 * seconds + rng.uniform(0, 6, count))
    vx = np.where(is_goal, target * np.exp(-seconds), target * (1 - np.exp(-seconds))) + gait
    state = np.zeros((steps + 1, count, 6))
    state[..., 0], state[..., 3] = x, vx
    qpos = np.zeros((steps + 1, count, 9), np.float32)
    qpos[..., 0] = x
    qpos[..., 2] = 0.1 * gait
    for joint in range(3, 9):
        qpos[..., joint] = 0.4 * np.sin(2 * np.pi * 2.5 * seconds + joint * 1.3)
    stride = np.repeat(np.minimum(2 + np.arange(steps) // 12, 10)[:, None], count, axis=1)
    is_decision = np.arange(steps)[:, None] % stride == 0
    rows = np.maximum(np.cumsum(is_decision, axis=0) - 1, 0)
    certainty = 1 - 0.75 * np.exp(-rows / 2)
    belief = np.repeat(((1 - certainty) / 3)[..., None], 4, axis=-1)
    np.put_along_axis(belief, tasks.family[None, :, None].astype(int), certainty[..., None], axis=-1)
    estimate = target * (1 + 0.3 * np.exp(-rows / 3) * rng.standard_normal((steps, count)))
    centre = np.eye(4)[tasks.family % 4]
    latent = 2 * centre + 0.1 * target[:, None] + 0.2 * rng.standard_normal((steps, count, 4))
    return RolloutRecord(
        tasks=tasks,
        control_dt_s=dt,
        body="half_cheetah",
        task_state=state,
        qpos=qpos,
        reward=reward(tasks, state[1:]),
        fallen=np.zeros((steps + 1, count), bool),
        is_decision=is_decision,
        rows=np.minimum(rows, 32),
        command_kind=np.where(is_goal, 0, 1) + np.zeros((steps, 1), int),
        command_target=estimate,
        stride=stride,
        family_probability=belief,
        target_estimate=estimate,
        latent=latent.astype(np.float32),
    )
