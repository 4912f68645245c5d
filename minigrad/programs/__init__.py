"""Computations as programs: record what a function does, simplify it, write it as NumPy source, and run that."""
