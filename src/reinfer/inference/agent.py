"""The agent that meta-training on the toy yields and that is reused, frozen, on robots: encoder, heads, policy.

Architectures differ in their networks and agree on ``infer(params, window)`` and ``act(params, state, belief)``; each
registers itself in ``ARCHITECTURES`` under the name its model file carries.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from reinfer.bodies import TOYS, Toy1d, ToyBody
from reinfer.control.belief_policy import BeliefPolicy, init_policy, policy_action
from reinfer.inference.belief import Belief, Inference, belief_of, explained_target
from reinfer.inference.context import WINDOW, ContextWindow, RowLayout, merge_rows
from reinfer.inference.decoder import TargetScale, init_decoder
from reinfer.inference.encoder import Carry, carry_of_window, init_encoder
from reinfer.inference.forgetting import carry_since_change
from reinfer.inference.melts_networks import melts_act, melts_infer, melts_template
from reinfer.inference.mixture import MixturePrior, standard_normal_prior
from reinfer.inference.process_networks import FAMILY, ROWS, process_act, process_infer, process_template
from reinfer.runs import trees
from reinfer.runs.errors import ArtifactError, ConfigError
from reinfer.runs.models import load_model, save_model

KIND = "toy_agent"


class Architecture(NamedTuple):
    """How one kind of agent infers and acts. ``template(config)`` has the structure and shapes of its parameters;
    ``forgetting`` infers as ``infer`` does, from the rows since the task last changed (None where it cannot);
    ``width``: rows of context it reads by default; ``only``: the family it knows, if it does not know all of its toy.
    """

    template: Callable[[dict], Any]
    infer: Callable[[Any, ContextWindow], Belief]
    forgetting: Callable[[Any, ContextWindow], Belief] | None
    act: Callable[[Any, ToyBody, jax.Array, Belief], jax.Array]
    width: int = WINDOW
    only: str | None = None


class BeliefAgent(NamedTuple):
    """Parameters of architecture ``belief``: task inference, the policy on beliefs, target scale, mixture prior."""

    inference: Inference
    policy: BeliefPolicy
    scale: TargetScale
    prior: MixturePrior


def _belief_template(config: dict) -> BeliefAgent:
    hidden, latent, body = config["hidden"], config["latent"], toy_of(config)
    key, layout = jax.random.key(0), RowLayout.of(body.tasks)
    zero = np.zeros(len(layout.families), np.float32)
    # Models made before there was a choice say nothing: a GRU.
    make = config.get("encoder", "gru"), config.get("context_mode", "trajectory")
    encoder = init_encoder(key, hidden, latent, layout, *make)
    return BeliefAgent(
        Inference(encoder, init_decoder(key, config["decoder_hidden"], latent, layout, body.action_size)),
        init_policy(key, config["policy_hidden"], body),
        TargetScale(zero, zero, zero),
        standard_normal_prior(latent, config["max_components"]),
    )


def toy_of(sizes: dict) -> ToyBody:
    """The nominal toy of an agent of these sizes; models made before there was another are of toy1d."""
    return TOYS[sizes.get("body", Toy1d.name)]()


def _belief_infer(params: BeliefAgent, window: ContextWindow) -> Belief:
    return _explained(params, window, carry_of_window(params.inference.encoder, window), window.first)


def _belief_forgetting(params: BeliefAgent, window: ContextWindow) -> Belief:
    return _explained(params, window, *carry_since_change(params.inference, window, params.scale))


def _explained(params: BeliefAgent, window: ContextWindow, carry: Carry, since) -> Belief:
    belief = belief_of(params.inference, carry, params.scale)
    target = explained_target(belief.target, window, since, params.inference.encoder.layout)
    return belief._replace(target=target)


def _belief_act(params: BeliefAgent, body: ToyBody, state, belief: Belief) -> jax.Array:
    return policy_action(params.policy, body, state, belief)


ARCHITECTURES = {
    "belief": Architecture(_belief_template, _belief_infer, _belief_forgetting, _belief_act),
    "melts": Architecture(melts_template, melts_infer, None, melts_act),
    "process": Architecture(process_template, process_infer, None, process_act, width=ROWS, only=FAMILY),
}


class ToyAgent:
    """A frozen agent: pure functions ``infer`` and ``act`` of its parameters.

    Args:
        architecture: key of ``ARCHITECTURES``.
        params: its parameters.
        sizes: the numbers from which a template of ``params`` can be built.
        sha256: digest of the model file, empty where it came from none.

    ``body`` is the nominal toy it was trained on, ``layout`` that of the rows of its windows.

    Examples:
        A few rewards tell this one which kind of task it is in, which it is not told:

        >>> import numpy as np, reinfer
        >>> from reinfer.inference.context import append, empty_window
        >>> agent = reinfer.load("shipped:toy/seed0").remember(forget=False)  # tasks stay: inference is faster so
        >>> task = reinfer.make_tasks([("goal_forward", 5.0)])
        >>> window, state = empty_window(1), np.zeros((1, 6), np.float32)
        >>> for _ in range(5):
        ...     action = agent.act(state, agent.infer(window))
        ...     reached = np.asarray(agent.body.step(state, action))
        ...     window, state = append(window, state, reinfer.reward(task, reached), reached), reached
        >>> belief = agent.infer(window)
        >>> bool(belief.family_probability[0].argmax() == task.family[0])
        True
    """

    def __init__(self, architecture: str, params, sizes: dict, sha256: str = ""):
        self.architecture, self.params, self.sizes = architecture, params, sizes
        self.sha256 = sha256
        self._functions = ARCHITECTURES[architecture]
        self.body = toy_of(sizes)
        self.layout = RowLayout.of(self.body.tasks)
        self.remember()

    def remember(self, rows: int | None = None, forget: bool | None = None, stride: int = 1) -> "ToyAgent":
        """Read the last ``rows`` rows, and of these, if ``forget``, only those since the task last changed.

        With a ``stride``, each of the rows spans so many that were appended (``context.merge_rows``).

        By default an agent forgets where its architecture can: a changed task is found several times sooner and nothing
        is lost where tasks stay; inference then costs more, the more so the more changes rewards leave possible. Raises
        ConfigError where the architecture cannot forget; returns itself.
        """
        able = self._functions.forgetting is not None
        if forget and not able:
            raise ConfigError(f"forget: an agent of architecture {self.architecture!r} cannot tell a change")
        self.stride, self.forget = stride, able if forget is None else forget
        self.width = stride * (self._functions.width if rows is None else rows)
        return self

    def keeping(self) -> "ToyAgent":
        """The same agent that never forgets: where tasks stay nothing is lost, and inference is faster."""
        return copy.copy(self).remember(self.width // self.stride, False, self.stride)

    def infer(self, window: ContextWindow, forget: bool | None = None) -> Belief:
        """Beliefs (N,) after the rows of ``window``; pure, may be jitted. ``forget``: other than as agreed."""
        forget = self.forget if forget is None else forget
        infer = self._functions.forgetting if forget else self._functions.infer
        return infer(self.params, window if self.stride == 1 else merge_rows(window, self.stride, self.layout))

    def act(self, state, belief: Belief) -> jax.Array:
        """The toy's own action (N, A) in [-1, 1], deterministic, in task-space states (N, C)."""
        return self._functions.act(self.params, self.body, state, belief)

    def save(self, folder: Path, *, config: dict, metrics: dict, provenance: dict) -> None:
        """Export to ``folder``; ``config`` is the training configuration, kept for the record."""
        save_model(
            folder,
            kind=KIND,
            arrays=trees.to_host(self.params),
            config={"architecture": self.architecture, "sizes": self.sizes, "training": config},
            metrics=metrics,
            provenance=provenance,
        )

    @classmethod
    def load(cls, folder: Path | str, *, partial: bool = False) -> "ToyAgent":
        """Read an exported model. Raises ArtifactError unless it is an intact toy agent of a known architecture.

        One that knows only one of the families of its toy is refused too, unless it may be ``partial``.
        """
        model = load_model(Path(folder), KIND)
        name = model.config.get("architecture")
        if name not in ARCHITECTURES:
            allowed = ", ".join(ARCHITECTURES)
            raise ArtifactError(f"{folder}: architecture {name!r} is not known; allowed: {allowed}")
        only = ARCHITECTURES[name].only
        if only and not partial:
            raise ArtifactError(f"{folder}: the agent knows only {only}; one that knows all families is needed")
        sizes = model.config["sizes"]
        if sizes.get("body", Toy1d.name) not in TOYS:
            raise ArtifactError(f"{folder}: toy {sizes['body']!r} is not known; allowed: {', '.join(TOYS)}")
        # Shapes are enough: nothing is drawn, nothing compiled.
        template = jax.eval_shape(lambda: ARCHITECTURES[name].template(sizes))
        params = trees.from_host(model.arrays, trees.signature(model.arrays), template, str(folder))
        return cls(name, jax.tree.map(jax.numpy.asarray, params), sizes, model.sha256)


def _parameters_and_form(agent: ToyAgent):
    """``params`` as leaves; the rest says what is computed, not with which numbers."""
    form = (agent.architecture, json.dumps(agent.sizes, sort_keys=True), agent.width, agent.forget, agent.stride)
    return (agent.params,), form


def _agent_of(form, leaves) -> ToyAgent:
    """What ``_parameters_and_form`` took apart; of the digest nothing is left."""
    architecture, sizes, width, forget, stride = form
    agent = ToyAgent(architecture, *leaves, json.loads(sizes))
    return agent.remember(width // stride, forget, stride)


# An agent is an argument of compiled programs, which all agents of its form share: its weights are not built in.
jax.tree_util.register_pytree_node(ToyAgent, _parameters_and_form, _agent_of)
