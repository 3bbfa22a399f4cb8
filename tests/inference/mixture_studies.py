"""Planted mixtures and the stream study, shared by the tests; run as a program it prints the measured tables.

``python tests/inference/mixture_studies.py`` (about two minutes on one core; times are process CPU seconds).
"""

import time
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score

from reinfer.inference.mixture import (
    MixtureConfig,
    MixtureState,
    assign_components,
    cluster_report,
    fit,
    init_state,
)
from reinfer.inference.mixture.state import COVARIANCES

FAMILIES = 8
DIMENSIONS = {"separated": 4, "unbalanced": 4, "anisotropic": 4, "high_dimensional": 16, "overlapping": 4}
SEEDS = range(5)


class Planted(NamedTuple):
    """Points (N, D), the component each was drawn from, and the best any method can do: the true posterior's
    most probable component."""

    points: np.ndarray
    labels: np.ndarray
    oracle: np.ndarray


def separated_means(rng, count: int, dimension: int, distance: float) -> np.ndarray:
    """``count`` means at least ``distance`` apart, uniform in a cube that is grown until they fit."""
    half_width = distance
    while True:
        for _ in range(50):
            means = rng.uniform(-half_width, half_width, (count, dimension))
            gaps = np.linalg.norm(means[:, None] - means[None], axis=-1)
            if gaps[np.triu_indices(count, 1)].min() >= distance:
                return means
        half_width *= 1.05


def planted(setting: str, seed: int, size: int = 4096, dimension: int | None = None) -> Planted:
    """Eight Gaussians: ``separated`` by 6 sd, ``overlapping`` (2.5 sd), ``unbalanced`` (55 % down to 0.7 %),
    ``anisotropic`` (axes 8:1, rotated) or ``high_dimensional`` (16-D)."""
    rng = np.random.default_rng([seed, 11])
    dimension = dimension or DIMENSIONS[setting]
    share = np.full(FAMILIES, 1.0 / FAMILIES)
    if setting == "unbalanced":
        share = (0.007 / 0.55) ** (np.arange(FAMILIES) / (FAMILIES - 1))
        share /= share.sum()
    means = separated_means(rng, FAMILIES, dimension, 2.5 if setting == "overlapping" else 6.0)
    factor = np.repeat(np.eye(dimension)[None], FAMILIES, axis=0)
    if setting == "anisotropic":
        rotation = np.linalg.qr(rng.standard_normal((FAMILIES, dimension, dimension)))[0]
        factor = rotation * np.geomspace(0.35, 2.8, dimension)
    labels = rng.choice(FAMILIES, size, p=share)
    noise = rng.standard_normal((size, dimension))
    points = means[labels] + np.einsum("nij,nj->ni", factor[labels], noise)
    whitened = np.einsum("kij,nkj->nki", np.linalg.inv(factor), points[:, None] - means)
    oracle = (np.log(share) - 0.5 * (whitened**2).sum(axis=2)).argmax(axis=1)
    return Planted(points, labels, oracle)


def curved(seed: int, size: int = 4096) -> Planted:
    """Eight families, each a noisy arc in 4-D, as a family with a continuous target looks to an encoder."""
    rng = np.random.default_rng([seed, 12])
    centres = separated_means(rng, FAMILIES, 4, 9.0)
    frames = np.linalg.qr(rng.standard_normal((FAMILIES, 4, 4)))[0][:, :2]
    labels = rng.integers(FAMILIES, size=size)
    angle = rng.uniform(0.0, np.pi, size)
    arc = 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = centres[labels] + np.einsum("nij,ni->nj", frames[labels], arc)
    return Planted(points + 0.25 * rng.standard_normal(points.shape), labels, labels)


def cold_fit(points, config: MixtureConfig, seed: int):
    """A fit from an empty state."""
    state = init_state(points.shape[1], config.max_components)
    return fit(state, points, config, np.random.default_rng([seed, 13]))


def state_from_labels(points, labels, config: MixtureConfig) -> MixtureState:
    """A state with one component per label: where a fit with a fixed number of components starts."""
    state = init_state(points.shape[1], config.max_components)
    for slot in range(labels.max() + 1):
        members = points[labels == slot]
        state.count[slot] = len(members)
        state.mean[slot] = members.mean(axis=0)
        state.scatter[slot] = len(members) * np.cov(members.T, bias=True)
        state.uid[slot], state.active[slot] = slot, True
    return state._replace(next_uid=np.array(labels.max() + 1))


class StreamEpoch(NamedTuple):
    """One epoch of the stream: components with at least 0.5 % of the points minus families present, agreement
    with the families, and each present family's majority component id."""

    excess_components: int
    ari: float
    majority: dict[int, int]


def stream_points(seed: int, drift: float, epochs: int = 28, size: int = 4096):
    """Yields (points, labels) per epoch: means walk at random by ``drift`` sd per epoch; family 6 appears at
    epoch 10, family 7 (3 % of the points) at 16, family 2 is absent in epochs 20 to 22."""
    rng = np.random.default_rng([seed, 14])
    means = separated_means(rng, FAMILIES, 4, 6.0)
    for epoch in range(epochs):
        means = means + drift * rng.standard_normal(means.shape)
        share = np.ones(FAMILIES)
        share[6] *= epoch >= 10
        share[2] *= not 20 <= epoch <= 22
        share[7] = 0.0
        share *= (0.97 if epoch >= 16 else 1.0) / share.sum()
        share[7] = 1.0 - share.sum()
        labels = rng.choice(FAMILIES, size, p=np.maximum(share, 0.0) / np.maximum(share, 0.0).sum())
        yield means[labels] + rng.standard_normal((size, 4)), labels


def run_stream(seed: int, drift: float = 0.05, config: MixtureConfig | None = None) -> list[StreamEpoch]:
    """Warm refits along the stream."""
    config = config or MixtureConfig()
    state, history = init_state(4, config.max_components), []
    for epoch, (points, labels) in enumerate(stream_points(seed, drift)):
        state, _ = fit(state, points, config, np.random.default_rng([seed, 15, epoch]))
        uid = assign_components(points, state, config)
        present = np.unique(labels)
        used = np.unique(uid, return_counts=True)[1] >= 0.005 * len(points)
        majority = {}
        for family in present:
            ids, counts = np.unique(uid[labels == family], return_counts=True)
            majority[int(family)] = int(ids[counts.argmax()])
        history.append(StreamEpoch(int(used.sum()) - len(present), adjusted_rand_score(labels, uid), majority))
    return history


def label_continuity(history: list[StreamEpoch]) -> float:
    """Share of families whose majority component is the one of the epoch before."""
    same = [
        now.majority[family] == before.majority[family]
        for before, now in zip(history[:-1], history[1:], strict=True)
        for family in now.majority
        if family in before.majority
    ]
    return float(np.mean(same))


def detection_epoch(history: list[StreamEpoch], family: int) -> int:
    """First epoch in which ``family`` has a majority component of its own; -1 if it never has."""
    for epoch, entry in enumerate(history):
        others = {uid for other, uid in entry.majority.items() if other != family}
        if family in entry.majority and entry.majority[family] not in others:
            return epoch
    return -1


def oracle_ari(data: Planted) -> float:
    """Agreement of the true posterior's labels with the truth."""
    return adjusted_rand_score(data.labels, data.oracle)


def timed(call):
    """The value of ``call()`` and the process CPU seconds it took."""
    start = time.process_time()
    return call(), time.process_time() - start


def _report_settings(config: MixtureConfig) -> None:
    print(f"{config.covariance}: setting, K per seed, mean ARI (oracle), mean CPU s cold, warm")
    for setting in DIMENSIONS:
        components, ari, oracle, cold, warm = [], [], [], [], []
        for seed in SEEDS:
            data = planted(setting, seed)
            (state, report), seconds = timed(lambda d=data, s=seed: cold_fit(d.points, config, s))
            cold.append(seconds)
            warm.append(timed(lambda d=data, st=state: fit(st, d.points, config, np.random.default_rng(16)))[1])
            components.append(report.components)
            ari.append(adjusted_rand_score(data.labels, assign_components(data.points, state, config)))
            oracle.append(adjusted_rand_score(data.labels, data.oracle))
        figures = f"{np.mean(ari):.4f} ({np.mean(oracle):.4f}) {np.mean(cold):.3f} {np.mean(warm):.3f}"
        print(f"  {setting:16s} {components} {figures}")


def _report_times() -> None:
    print("mean CPU s over 5 seeds: a cold fit, a warm fit to fresh points")
    config = MixtureConfig()
    for name, dimension in (("separated", 4), ("separated", 8), ("curved", 4)):
        cold, warm = [], []
        for seed in SEEDS:
            points = (curved(seed, 8192) if name == "curved" else planted(name, seed, 8192, dimension)).points
            (state, _), seconds = timed(lambda p=points, s=seed: cold_fit(p[:4096], config, s))
            cold.append(seconds)
            fresh = points[4096:]
            warm.append(timed(lambda p=fresh, st=state: fit(st, p, config, np.random.default_rng(16)))[1])
        print(f"  {name} 4096x{dimension}: {np.mean(cold):.3f} {np.mean(warm):.3f}")


def _report_curved() -> None:
    print("curved families: purity, nmi, ari of merged components, K, effective K")
    config = MixtureConfig()
    for seed in SEEDS:
        data = curved(seed)
        report = cluster_report(data.points, data.labels, cold_fit(data.points, config, seed)[0], config)
        print("  " + " ".join(f"{key} {value:.3f}" for key, value in report.items()))


def _report_stream(drift: float) -> None:
    print(f"stream, drift {drift} sd per epoch, 5 seeds")
    for seed in SEEDS:
        history, seconds = timed(lambda s=seed: run_stream(s, drift))
        excess = np.abs([epoch.excess_components for epoch in history])
        ari = [epoch.ari for epoch in history]
        print(
            f"  |K - families| {excess.mean():.3f}, ARI {np.mean(ari):.4f} (worst {min(ari):.4f}),"
            f" continuity {label_continuity(history):.4f}, found at {detection_epoch(history, 6)} and"
            f" {detection_epoch(history, 7)}, id back {history[23].majority[2] == history[19].majority[2]},"
            f" {seconds / len(history):.3f} CPU s per epoch"
        )


if __name__ == "__main__":
    for covariance in COVARIANCES:
        _report_settings(MixtureConfig(covariance=covariance))
    _report_times()
    _report_curved()
    for drift_sd in (0.05, 0.15, 0.6):
        _report_stream(drift_sd)
