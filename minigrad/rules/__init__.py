"""The table of derivatives, a file for each family of NumPy functions."""

from . import (  # noqa: F401
    elementwise,
    fourier,
    indexing,
    linalg,
    polynomials,
    products,
    reductions,
    selecting,
    shaping,
    sorting,
    ufunc_methods,
)
