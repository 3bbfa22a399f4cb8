"""Batched stepping of bodies, and Gymnasium views of them."""

from reinfer.simulation.batch import BatchSimulation

__all__ = ["BatchSimulation"]
