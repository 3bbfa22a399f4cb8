"""The search for components on one set of points: memoized passes, births and merges, each raising the
ELBO."""

import numpy as np

from reinfer.inference.mixture.components import (
    GaussianFamily,
    allocation_evidence,
    expected_log_weights,
    respond,
)
from reinfer.inference.mixture.moves import choose_merges, choose_splits, merge_entropy_change, propose_split
from reinfer.inference.mixture.state import MixtureConfig

MOST_PASSES = 30
PASSES_BETWEEN_MOVES = 3
SMALL_GAIN_NATS = 1e-5
RETRY_CHANGE = 0.05


class Search:
    """Responsibilities, statistics and component ids while one fit looks for its components.

    Args:
        family: the component family.
        points: (N, D) in the coordinates of the fit, in random order.
        statistics: (K, F) the previous posterior of the components to start from.
        memory: (K, F) statistics of points that are not here any more; they count as data that stays where
            it is.
        uid: (K,) ids of those components.
        next_uid: the first unused id.
        config: settings.
    """

    def __init__(self, family: GaussianFamily, points, statistics, memory, uid, next_uid: int, config: MixtureConfig):
        self.family, self.config = family, config
        self.features = family.features(points)
        self.memory, self.uid, self.next_uid = memory.copy(), list(uid), next_uid
        self.births = self.merges = self.passes = 0
        self._anchor = dict(zip(self.uid, family.posterior(statistics).mean, strict=True))
        self._failed: dict[int, float] = {}
        bounds = np.linspace(0, len(points), min(config.minibatches, len(points)) + 1).astype(int)
        self._batches = [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
        self.responsibility, self.entropy = self._respond(self.features, statistics)
        self.statistics = self.memory + self.responsibility.T @ self.features
        self.trace = [self.elbo()]

    def elbo(self) -> float:
        """The evidence lower bound in nats, summed over points and memory."""
        allocation = allocation_evidence(self.statistics[:, 0], self.config.concentration)
        return float(self.family.log_evidence(self.statistics).sum() + allocation + self.entropy.sum())

    def run(self, rng: np.random.Generator) -> None:
        """Alternate passes, births and merges until no move helps or ``config.rounds`` are over, then
        converge."""
        for _ in range(self.config.rounds):
            self._converge(PASSES_BETWEEN_MOVES)
            born = self._split_components(rng)
            if born:
                self._converge(1)
            if not self._merge_components() and not born:
                break
        self._converge(MOST_PASSES)

    def _converge(self, most_passes: int) -> None:
        for _ in range(most_passes):
            self._pass()
            if self.trace[-1] - self.trace[-2] < SMALL_GAIN_NATS * len(self.features):
                break

    def _pass(self) -> None:
        """One memoized pass: every minibatch's share of the statistics is replaced in turn."""
        for batch in self._batches:
            rows = self.features[batch]
            fresh, self.entropy[batch] = self._respond(rows, self.statistics)
            self.statistics += (fresh - self.responsibility[batch]).T @ rows
            self.responsibility[batch] = fresh
        self.statistics = self.memory + self.responsibility.T @ self.features
        self.passes += 1
        self.trace.append(self.elbo())

    def _respond(self, features, statistics) -> tuple[np.ndarray, np.ndarray]:
        log_weights = expected_log_weights(statistics[:, 0], self.config.concentration)
        return respond(features, self.family.natural_parameters(statistics), log_weights)

    def _split_components(self, rng: np.random.Generator) -> int:
        """Split the components whose two-way split raises the ELBO; the number of components born."""
        capacity = self.config.max_components - len(self.uid)
        if capacity < 1:
            return 0
        count = self.statistics[:, 0]
        splits = {}
        for k, uid in enumerate(self.uid):
            if abs(count[k] - self._failed.get(uid, -np.inf)) <= RETRY_CHANGE * count[k]:
                continue
            split = propose_split(
                self.family,
                self.features,
                self.responsibility[:, k],
                self.statistics[k],
                self.config.min_count,
                rng,
            )
            if split is not None:
                splits[k] = split
            self._failed[uid] = count[k]
        chosen = choose_splits(splits, count, self.config.concentration, capacity)
        for k in chosen:
            del self._failed[self.uid[k]]
            self._apply_split(k, splits[k])
        if chosen:
            self.births += len(chosen)
            self.trace.append(self.elbo())
        return len(chosen)

    def _apply_split(self, parent: int, split) -> None:
        column = np.zeros((len(self.features), 1))
        column[split.index, 0] = split.responsibility
        self.responsibility[:, parent] -= column[:, 0]
        self.responsibility = np.concatenate([self.responsibility, column], axis=1)
        self.entropy[split.index] += split.entropy_change
        self.statistics[parent] -= split.statistics
        self.statistics = np.concatenate([self.statistics, split.statistics[None]])
        self.memory = np.concatenate([self.memory, np.zeros_like(split.statistics)[None]])
        kept, born = self.uid[parent], self.next_uid
        self.next_uid += 1
        if self._new_child_is_the_old_one(kept, parent):
            kept, born = born, kept
        self.uid[parent] = kept
        self.uid.append(born)

    def _new_child_is_the_old_one(self, uid: int, parent: int) -> bool:
        """Whether the last component rather than ``parent`` continues ``uid``: nearest to its mean of the
        previous fit, or the larger one where there was none."""
        if uid not in self._anchor:
            return bool(self.statistics[-1, 0] > self.statistics[parent, 0])
        means = self.family.posterior(self.statistics[[parent, -1]]).mean
        distance = ((means - self._anchor[uid]) ** 2).sum(axis=1)
        return bool(distance[1] < distance[0])

    def _merge_components(self) -> int:
        """Merge pairs until no merge raises the ELBO; the older id survives. The number of merges."""
        merged = 0
        while pairs := choose_merges(self.family, self.statistics, self.responsibility, self.config.concentration):
            for a, b in pairs:
                first, second = self.responsibility[:, a], self.responsibility[:, b]
                self.entropy += merge_entropy_change(first, second)
                first += second
                self.statistics[a] += self.statistics[b]
                self.memory[a] += self.memory[b]
                self.uid[a] = min(self.uid[a], self.uid[b])
            keep = np.setdiff1d(np.arange(len(self.uid)), [b for _, b in pairs])
            self.responsibility, self.statistics = self.responsibility[:, keep], self.statistics[keep]
            self.memory, self.uid = self.memory[keep], [self.uid[k] for k in keep]
            merged += len(pairs)
            self.trace.append(self.elbo())
        self.merges += merged
        return merged
