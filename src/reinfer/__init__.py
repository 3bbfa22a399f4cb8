"""reinfer: task inference learned once on a toy, reused on robots."""

__version__ = "0.1.0"
