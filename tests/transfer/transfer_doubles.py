"""Test doubles: a told-the-form filter in place of the toy agent, a point in place of the robot.

The filter is TOLD the form of the rewards and compares every row with hypotheses on a grid; it stands for an
ideal toy agent so that tests of the machinery need no training. The point follows commands at once.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from reinfer.bodies import HALF_CHEETAH, BodyId, CommandRange, Toy1d
from reinfer.control.commands import Commands, feature_size, restrict
from reinfer.control.low_level_policy import LowLevelPolicy
from reinfer.control.networks import init_mlp
from reinfer.control.normalisation import init_moments
from reinfer.control.sac import init_sac
from reinfer.inference.agent import ARCHITECTURES, ToyAgent
from reinfer.inference.belief import Belief
from reinfer.inference.context import LINE_ROWS
from reinfer.tasks import GOAL
from reinfer.transfer import Hierarchy, ToyPolicyAgent
from reinfer.transfer.relearned import ACTIONS, Correction

RANGES = CommandRange()
POINT = BodyId("point")
DT = 0.05


class FilterAgent:
    """Double of ``ToyAgent``: posterior over a grid of magnitudes per family, told the reward's form."""

    width = 32
    sha256 = "double"
    body = Toy1d()
    layout = LINE_ROWS
    forget = False

    def __init_subclass__(cls):
        _without_leaves(cls)

    def __init__(self, tolerance: float = 0.02, grid: int = 300):
        limits = ((0.5, 3.0), (0.5, 3.0), (0.2, 25.0), (0.2, 25.0))
        sign = jnp.array([1.0, -1.0, 1.0, -1.0])
        spaced = jnp.stack([jnp.geomspace(low, high, grid) for low, high in limits])
        self.params = {"targets": sign[:, None] * spaced}
        self.tolerance = tolerance

    def infer(self, window, forget=False) -> Belief:
        targets = self.params["targets"]
        x, vx, reward = window.rows[..., 3], window.rows[..., 4], window.rows[..., 2]
        value = jnp.stack([vx, vx, x, x], axis=-1)[..., None]
        predicted = -jnp.abs(value - targets) / jnp.abs(targets)
        age = jnp.arange(window.rows.shape[1])[::-1]
        seen = (age < window.count[:, None])[..., None, None]
        misfit = jnp.where(seen, (predicted - reward[..., None, None]) ** 2, 0.0).sum(1)
        log_weight = -0.5 * misfit / self.tolerance**2
        best = jnp.argmax(log_weight, axis=-1)[..., None]
        target = jnp.take_along_axis(jnp.broadcast_to(targets, log_weight.shape), best, axis=-1)[..., 0]
        probability = jax.nn.softmax(jax.nn.logsumexp(log_weight, axis=-1), axis=-1)
        return Belief(target, jnp.zeros_like(target), probability, target)

    def act(self, task_state, belief):
        likely = jnp.argmax(belief.family_probability, axis=-1)[:, None]
        target = jnp.take_along_axis(belief.target, likely, axis=-1)
        u = jnp.where(likely >= 2, (target - task_state[:, :1]) / 0.5, target / 5.0)
        return jnp.clip(u, -1.0, 1.0)


def _without_leaves(double: type) -> None:
    """Let programs be compiled for each object of ``double`` by itself."""
    jax.tree_util.register_pytree_node(double, lambda agent: ((), agent), lambda agent, _: agent)


_without_leaves(FilterAgent)


def point_body() -> SimpleNamespace:
    """What a rollout and a contest ask of a body."""
    given = {"origin": None, "tasks": HALF_CHEETAH.tasks, "commands": RANGES}
    return SimpleNamespace(name="point", id=POINT, reference="point", **given)


class PointSimulation:
    """Double of ``BatchSimulation``: a point whose velocity is its action times 4 m/s; falls where told."""

    def __init__(self, count: int, fall_at_x: float = np.inf):
        self.body = point_body()
        self.num_simulations, self.control_dt_s, self.fall_at_x = count, DT, fall_at_x
        self.qpos, self.qvel = np.zeros((count, 3)), np.zeros((count, 3))

    def reset(self, rng):
        self.qpos[:] = 0.01 * rng.standard_normal(self.qpos.shape)
        self.qvel[:] = 0.0

    def step(self, action):
        self.qvel[:, 0] = 4.0 * action[:, 0]
        self.qpos[:, 0] += DT * self.qvel[:, 0]

    def task_state(self):
        return np.concatenate([self.qpos, self.qvel], axis=-1)

    def observation(self):
        return np.concatenate([self.qpos[:, 1:], self.qvel], axis=-1)

    def fallen(self):
        return np.abs(self.qpos[:, 0]) > self.fall_at_x


class PointLowLevel:
    """Double of ``LowLevelPolicy``: brings the point to its goal in one step where 3 m/s suffice."""

    ranges = RANGES
    body = POINT
    sha256 = "double"

    def act(self, observation, task_state, commands: Commands):
        wanted = np.where(commands.kind == GOAL, (commands.target - task_state[:, 0]) / DT, commands.target)
        return np.clip(wanted, -3.0, 3.0)[:, None] / 4.0


def point_hierarchy(strides, count=8, agent=None, fall_at_x=np.inf) -> Hierarchy:
    agent = agent or ToyPolicyAgent(FilterAgent())
    return Hierarchy(PointSimulation(count, fall_at_x), PointLowLevel(), agent, strides)


def untrained_correction(inputs: int, seed: int = 0) -> Correction:
    """Networks of a relearned high level that corrects at random, wherever its critics happen to like it."""
    sac = init_sac(jax.random.key(seed), inputs, ACTIONS, (8, 8), 0.1)
    loud = jax.tree.map(lambda leaf: 50.0 * leaf, sac.policy[-1])
    return Correction((*sac.policy[:-1], loud), sac.critics, init_moments(inputs), jnp.float32(1.0))


def untrained_toy(seed: int = 0, body: str = "toy1d") -> ToyAgent:
    """A real toy agent with small random networks."""
    sizes = {
        "body": body,
        "hidden": 8,
        "latent": 3,
        "decoder_hidden": 8,
        "policy_hidden": 8,
        "max_components": 2,
    }
    shapes = jax.eval_shape(lambda: ARCHITECTURES["belief"].template(sizes))
    rng = np.random.default_rng(seed)
    params = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0.0, 0.5, leaf.shape), leaf.dtype), shapes)
    return ToyAgent("belief", params, sizes)


def untrained_low_level(seed: int = 0, kinds=("goal", "velocity")) -> LowLevelPolicy:
    """A real half-cheetah low level with small random networks."""
    ranges = restrict(HALF_CHEETAH.commands, kinds)
    inputs = HALF_CHEETAH.observation_size(HALF_CHEETAH.model()) + feature_size(ranges)
    network = init_mlp(jax.random.key(seed), (inputs, 8, 6))
    return LowLevelPolicy(HALF_CHEETAH.id, ranges, init_moments(inputs), network)
