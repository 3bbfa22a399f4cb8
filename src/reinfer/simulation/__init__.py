"""Batched stepping of bodies, and Gymnasium views of them."""

from reinfer.simulation.batch import BatchSimulation
from reinfer.simulation.gymnasium_views import register_views

register_views()

__all__ = ["BatchSimulation"]
