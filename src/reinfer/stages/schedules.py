"""Learning rates over a training."""

import optax


def warmed_up(peak, end: float, steps: int) -> optax.Schedule:
    """Rises from 0 to ``peak`` in at most 100 steps and a quarter of all ``steps``, then falls to ``end`` times
    ``peak`` by half a cosine.

    As ``optax.warmup_cosine_decay_schedule``, which compares ``peak`` with 0: here it may be an array, as where many
    agents are trained in one program.
    """
    warmup = min(100, steps // 4)
    rise, fall = optax.linear_schedule(0.0, peak, warmup), optax.cosine_decay_schedule(peak, steps - warmup, end)
    return optax.join_schedules([rise, fall], [warmup])
