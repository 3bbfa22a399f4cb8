"""All priors over the latent task in one interface: a state on the host, refitted to latents, and a ``MixturePrior``.

* ``dpmm``: the Dirichlet-process mixture of ``dpmm``, with births, merges and ids that stay;
* ``gmm``: one Gaussian per family label (``given``);
* ``stick-breaking``: a truncated stick-breaking mixture (``sticks``);
* ``normal``: N(0, I), which nothing is fitted to.
"""

import numpy as np

from reinfer.inference.mixture.dpmm import fit
from reinfer.inference.mixture.given import fit_given_classes
from reinfer.inference.mixture.prior import MixturePrior, export_prior
from reinfer.inference.mixture.state import MixtureConfig, MixtureState
from reinfer.inference.mixture.sticks import fit_sticks
from reinfer.runs.errors import ConfigError

PRIORS = ("dpmm", "gmm", "stick-breaking", "normal")


def check_prior(kind: str, config: MixtureConfig, families: int, latents: int, by: str) -> None:
    """Raise ConfigError where prior ``kind`` is unknown, has too few components for the ``families`` of a toy, or is
    fitted to too few ``latents``, a number that the settings ``by`` give."""
    if kind not in PRIORS:
        raise ConfigError(f"prior: {kind!r} is not allowed; it must be one of {', '.join(PRIORS)}")
    fewest = {"gmm": families, "stick-breaking": 2}.get(kind, 1)
    if config.max_components < fewest:
        raise ConfigError(
            f"mixture.max_components: {config.max_components} is not allowed with prior {kind!r}; "
            f"it must be at least {fewest}"
        )
    if kind != "normal" and latents < 2 * config.min_count:
        raise ConfigError(
            f"{by}: {latents} is not allowed; the prior needs at least"
            f" 2 x mixture.min_count = {2 * config.min_count} latents"
        )


def refit(
    kind: str, state: MixtureState, latents, families, config: MixtureConfig, rng: np.random.Generator
) -> tuple[MixtureState, MixturePrior]:
    """The state of prior ``kind`` after one more fit to ``latents`` (N, D), and the prior made of it.

    Args:
        families: label of each latent (N,), which only ``gmm`` reads.
        rng: draws whatever the fit needs.

    Raises as ``dpmm.fit`` does. The components of ``state.active`` are those with an id, none for ``normal``.
    """
    if kind == "dpmm":
        state, _ = fit(state, latents, config, rng)
    elif kind == "gmm":
        state = fit_given_classes(state, latents, families, config)
    elif kind == "stick-breaking":
        state, _ = fit_sticks(state, latents, config, rng)
    return state, export_prior(state, config)
