"""The table of derivatives. Each file holds the rules of one family of NumPy functions."""

from . import (  # noqa: F401
    calculus,
    composition,
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
    special,
    statistics,
    ufunc_methods,
)
