"""How a jump is measured: by the highest |vz| of the last second.

A jump task rewards |vz| near a target at every moment, which nothing that flies can hold: between take-off and landing
|vz| falls to zero and rises again, so that it is half of its peak on average. The published work reports no such
figure. Here the *peak* says whether a body jumps as it should, and the *mean* how much of the time it is at it; both
are of |vz| of the root, sampled once per control step.
"""

import numpy as np

from reinfer.control.tracking import PEAK_S


def recent_peak(vertical_speed, control_dt_s: float) -> np.ndarray:
    """Largest |vz| of the last ``PEAK_S`` (fewer at the start) at every one of T moments, (T, ...).

    Args:
        vertical_speed: vz in m/s, (T, ...), time first.
    """
    speed = np.abs(vertical_speed)
    window = min(round(PEAK_S / control_dt_s), len(speed))
    padded = np.concatenate([np.zeros((window - 1, *speed.shape[1:])), speed])
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=0).max(-1)
