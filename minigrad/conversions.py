"""Operations of minigrad's own that change the dtype of a value, or only check it. Rules and methods use them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .table import defvjp, primitive

FLOAT16 = np.dtype(np.float16)


@primitive
def astype(x: Any, dtype: Any, casting: Any = "unsafe", order: Any = "K") -> Any:
    """The value in another dtype."""
    y = np.asarray(x).astype(dtype, order, casting)
    return y if isinstance(x, np.ndarray) else y[()]


def widened(x: Any) -> Any:
    """The value in float32 if it is in float16, which has too few digits to count and to add in."""
    return astype(x, np.float32) if getattr(x, "dtype", None) == FLOAT16 else x


@primitive
def checked(x: Any, is_wrong: Any, message: str) -> Any:
    """The value itself. It is an error if a condition holds for some element."""
    if np.any(is_wrong):
        raise ValueError(message)
    return x


defvjp(checked, x=lambda g: g, is_wrong=None, message=None)


@primitive
def as_python_number(x: Any) -> Any:
    """The only element of an array as a Python number: a weak value, which leaves the dtype to the arrays that it meets."""
    return (complex if np.iscomplexobj(x) else float)(np.asarray(x).item())
