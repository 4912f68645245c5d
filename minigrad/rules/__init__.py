"""The table of derivatives, a file for each family of NumPy functions."""

from . import (  # noqa: F401
    calculus,
    compositions,
    decompositions,
    elementwise,
    fourier,
    indexing,
    linalg,
    polynomials,
    products,
    reductions,
    selecting,
    series,
    shaping,
    sorting,
    statistics,
    ufunc_methods,
)
