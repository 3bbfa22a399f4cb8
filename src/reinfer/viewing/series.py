"""Time series as drawn: smoothing that invents nothing at the ends."""

import numpy as np


def moving_average(values, width: int) -> np.ndarray:
    """Centred mean over ``width`` samples along axis 0; at the ends over those that are there.

    Args:
        values: (T, ...), finite or NaN; NaN samples are left out of the mean.
        width: at least 1; even widths are taken one larger so that the window is centred.
    Returns: same shape; NaN only where a whole window is NaN.
    """
    values = np.asarray(values, float)
    half = max(int(width), 1) // 2
    known = np.isfinite(values)
    sums, counts = _running(np.where(known, values, 0.0)), _running(known.astype(float))
    low = np.maximum(np.arange(len(values)) - half, 0)
    high = np.minimum(np.arange(len(values)) + half + 1, len(values))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[high] - sums[low]) / (counts[high] - counts[low])


def _running(values):
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
