"""The table of derivatives, a file for each family of NumPy functions."""

from . import elementwise, indexing, products, reductions, shaping  # noqa: F401
