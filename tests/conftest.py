"""Settings that all tests share."""

import gc

import jax

jax.config.update("jax_enable_x64", True)  # else JAX turns float64 into float32 without a word
jax.config.update("jax_disable_most_optimizations", True)  # what is run once is not worth the time to optimise it


def pytest_collection_finish():
    """Spare the garbage collector the modules and the ten thousand tests, which live to the end."""
    gc.collect()
    gc.freeze()
