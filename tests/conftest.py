"""Settings that all tests share."""

import jax

jax.config.update("jax_enable_x64", True)  # else JAX turns float64 into float32 without a word
jax.config.update("jax_disable_most_optimizations", True)  # what is run once is not worth the time to optimise it
