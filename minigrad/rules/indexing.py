"""Taking and replacing elements of an array by index, and choosing between two arrays."""

import numpy as np

from ..graph import adding_dtype
from ..memory import copied
from ..table import defconstant, defvjp, primitive, sequence
from ..views import getitem


@primitive
def scatter(values, indices, shape):
    """Return zeros of that shape, with each value added at its index. This is the VJP of indexing."""
    dtype = np.result_type(*values)
    out = np.zeros(shape, adding_dtype(dtype) or dtype)
    for value, index in zip(values, indices):
        if _may_repeat(index):
            np.add.at(out, index, value)
        else:
            out[index] += value
    return out.astype(dtype, copy=False)


@primitive
def replace(a, index, value):
    """Return a copy of `a` after ``a[index] = value``."""
    a = np.asarray(a)
    out = copied(a) if a.flags.writeable else np.array(a)  # an array that the user writes into keeps its layout in memory
    out[index] = value
    return out


def _replace_value(g, index):
    """Return the elements at the index. If it names an element twice, only the value that is written last counts."""
    taken = getitem(g, index)
    if not _may_repeat(index):
        return taken
    order = np.arange(np.size(taken)).reshape(np.shape(taken))
    last = replace(np.empty(np.shape(g), int), index, order)
    return np.where(getitem(last, index) == order, taken, 0)


def _may_repeat(index):
    """Whether an index may name an element twice. Arrays and lists of numbers may. Numbers, slices and masks cannot."""
    parts = index if isinstance(index, tuple) else (index,)
    return not all(
        part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))
        or (part if hasattr(part, "dtype") else np.asarray(part)).dtype == bool
        for part in parts
    )


defvjp(getitem, a=lambda g, index, a_shape: scatter([g], [index], a_shape))
defvjp(scatter, values=sequence(lambda g, indices, shape: [getitem(g, index) for index in indices]))
defvjp(replace, a=lambda g, index: replace(g, index, 0), value=_replace_value)

defvjp(np.where,
       condition=None,
       x=lambda g, condition: np.where(condition, g, 0),
       y=lambda g, condition: np.where(condition, 0, g))

defconstant(np.nonzero, np.argmax, np.argmin, np.argsort, np.argwhere, np.flatnonzero, np.count_nonzero, np.any, np.all)
