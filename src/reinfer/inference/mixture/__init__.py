"""Priors over latents, the Dirichlet-process mixture first: fits, export to the learner, KL estimators, labels."""

from reinfer.inference.mixture.dpmm import FitReport, fit
from reinfer.inference.mixture.kl import (
    METHODS,
    kl_to_components,
    kl_to_mixture,
    kl_to_standard_normal,
    log_density,
    responsibilities,
)
from reinfer.inference.mixture.labels import (
    agreement,
    assign_components,
    cluster_report,
    component_responsibilities,
    merge_overlapping,
    purity,
)
from reinfer.inference.mixture.prior import MixturePrior, export_prior, standard_normal_prior
from reinfer.inference.mixture.priors import PRIORS, check_prior, refit
from reinfer.inference.mixture.state import MixtureConfig, MixtureState, init_state

__all__ = [
    "METHODS",
    "PRIORS",
    "FitReport",
    "MixtureConfig",
    "MixturePrior",
    "MixtureState",
    "agreement",
    "assign_components",
    "check_prior",
    "cluster_report",
    "component_responsibilities",
    "export_prior",
    "fit",
    "init_state",
    "kl_to_components",
    "kl_to_mixture",
    "kl_to_standard_normal",
    "log_density",
    "merge_overlapping",
    "purity",
    "refit",
    "responsibilities",
    "standard_normal_prior",
]
