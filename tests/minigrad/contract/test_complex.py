"""Contract A8: complex numbers, and holomorphic=True.

Not here: A8.22 (fft), which needs a rule that does not exist yet. A8.15, A8.17, A8.18 and A8.21 are spelled without
angle, norm and vdot.
"""

from typing import Any

import numpy as np

from minigrad import grad, value_and_grad

from .support import check, rows, same

Z = 1 + 2j
ZS = np.array([1 + 2j, -0.5j, 3 - 1j])


def holomorphic(m: Any, fun: Any, *args: Any, **kwargs: Any) -> Any:
    return m.grad(fun, holomorphic=True, **kwargs)(*args)


INPUTS = "grad with holomorphic=True requires inputs with complex dtype, but got "
OUTPUTS = "grad with holomorphic=True requires outputs with complex dtype, but got "


@rows(
    same("A8.1", lambda m: holomorphic(m, m.np.sin, Z)),
    same("A8.2", lambda m: holomorphic(m, lambda z: z**2, Z)),
    same("A8.2 negative power", lambda m: holomorphic(m, lambda z: z**-3 + 2 / z, Z)),
    same("A8.2 complex power", lambda m: holomorphic(m, lambda z: z ** (0.5 + 1j), Z)),
    same("A8.2 in the exponent", lambda m: holomorphic(m, lambda z: (2 + 1j) ** z, Z)),
    same("A8.3", lambda m: holomorphic(m, lambda z: m.np.sum(m.np.exp(z)), np.array([1j, 2 + 0j]))),
    same("A8.3 several", lambda m: holomorphic(m, lambda z: m.np.prod(m.np.log(z) * m.np.tanh(z) + 1 / z), ZS)),
    same("A8.3 matmul", lambda m: holomorphic(m, lambda z: z @ (z * 1j), ZS)),
    same("A8.3 indices", lambda m: holomorphic(m, lambda z: z[0] * z[-1] * z[0], ZS)),
    same("A8.3 mean", lambda m: holomorphic(m, lambda z: m.np.mean(m.np.sqrt(z)), ZS)),
    same("A8.7", lambda m: holomorphic(m, m.np.conj, Z)),
    same("A8.8", lambda m: holomorphic(m, lambda z: m.np.real(z) + 0j, Z)),
    same("A8.8 imag", lambda m: holomorphic(m, lambda z: m.np.imag(z) * 1j, Z)),
    same("A8.10", lambda m: holomorphic(m, lambda z, x: z * x, Z, 2.0)),
    same("A8.11", lambda m: holomorphic(m, lambda z: 1j, Z)),
    same("A8.13", lambda m: m.grad(m.grad(lambda z: z**3, holomorphic=True), holomorphic=True)(Z)),
    same("A8 argnums", lambda m: holomorphic(m, lambda z, w: z * w**2, Z, 3j, argnums=(1, 0))),
    same("A8 tree", lambda m: holomorphic(m, lambda p: p["z"] * p["w"][1], {"w": (1j, 2j), "z": Z})),
    same("A8 aux", lambda m: holomorphic(m, lambda z: (z**2, [z.real, "s"]), Z, has_aux=True)),
    same("A8 value", lambda m: m.value_and_grad(lambda z: z**2, holomorphic=True)(Z)),
    same(
        "A8 complex64",
        lambda m: m.value_and_grad(lambda z: (z * z).sum(), holomorphic=True)(ZS.astype(np.complex64)),
    ),
    same("A8 0-d", lambda m: holomorphic(m, lambda z: 1j * z * z, np.array(Z))),
    same("A8 an empty array", lambda m: holomorphic(m, lambda z: z.sum(), np.zeros((0, 2), complex))),
    same(
        "A8 real inside",
        lambda m: holomorphic(m, lambda z: (z * np.arange(3.0)).sum() + m.grad(lambda x: x**2)(3.0), ZS),
    ),
)
def test_holomorphic(row: Any) -> None:
    check(row)


@rows(
    same("A8.4", lambda m: holomorphic(m, lambda x: x**2, 3.0), INPUTS + "float64"),
    same("A8.4 float32", lambda m: holomorphic(m, lambda x: x.sum() + 0j, np.ones(2, np.float32)), INPUTS + "float32"),
    same("A8.4 bool", lambda m: holomorphic(m, lambda x: x + 0j, True), INPUTS + "bool"),
    same("A8.5", lambda m: holomorphic(m, lambda z: m.np.abs(z), Z), OUTPUTS + "float64"),
    same("A8.6", lambda m: holomorphic(m, lambda z: z * 1j, 3), INPUTS + "int64"),
    same("A8.6 allow_int", lambda m: holomorphic(m, lambda z: z * 1j, 3, allow_int=True), INPUTS + "int64"),
    same("A8.9", lambda m: holomorphic(m, lambda z, x: z * x, Z, 2.0, argnums=(0, 1)), INPUTS + "float64"),
    same("A8.9 tree", lambda m: holomorphic(m, lambda p: p[0] * p[1], [Z, 2.0]), INPUTS + "float64"),
    same("A8.12", lambda m: holomorphic(m, lambda z: 1.0, Z), OUTPUTS + "float64"),
    same("A8.12 int", lambda m: holomorphic(m, lambda z: 1, Z), OUTPUTS + "int64"),
    same("A8.12 shape first", lambda m: holomorphic(m, lambda z: z.real, ZS), "Output had shape: (3,)"),
    same(
        "A8.12 pair",
        lambda m: holomorphic(m, lambda z: (z, z), Z), "only defined for scalar-output functions. Output was",
    ),
    same("A8 not without the flag", lambda m: m.grad(lambda z: z * z)(Z), "grad requires real-valued outputs"),
    same("A8 not without the flag either", lambda m: m.grad(lambda x: x * 1j)(1.0), "holomorphic=True"),
)
def test_holomorphic_refuses(row: Any) -> None:
    check(row)


# ---- Real functions: the gradient of u is du/dx - i du/dy -----------------------------------------------------------


@rows(
    same("A8.14", lambda m: m.grad(lambda z: m.np.real(z * m.np.conj(z)))(Z)),
    same("A8.14 arrays", lambda m: m.grad(lambda z: (z * z.conj()).real.sum())(ZS)),
    same("A8.15", lambda m: m.grad(lambda z: m.np.arctan2(z.imag, z.real))(Z)),
    same("A8.16", lambda m: m.grad(m.np.abs)(0j)),
    same("A8.16 arrays", lambda m: m.grad(lambda z: m.np.abs(z).sum())(np.array([0j, 3 + 4j, -2j, 1e-200 + 1e-200j]))),
    same("A8.17", lambda m: m.grad(lambda z: m.np.arctan2(z.imag, z.real))(0j)),
    same("A8.18", lambda m: m.grad(lambda z: m.np.sqrt(m.np.sum(z.real**2 + z.imag**2)))(np.array([1 + 2j, 3j]))),
    same("A8.19", lambda m: m.grad(lambda z: m.np.sum(m.np.cos(m.np.abs(z))))(0.5j * np.arange(3) + np.arange(3))),
    same("A8.20", lambda m: m.grad(lambda x: m.np.abs(m.np.exp(1j * x) + 1))(0.3)),
    same("A8.20 arrays", lambda m: m.grad(lambda x: m.np.abs(m.np.exp(1j * x) @ ZS) ** 2)(np.arange(3.0))),
    same("A8.20 float32", lambda m: m.grad(lambda x: (x * ZS).imag.sum())(np.ones(3, np.float32))),
    same("A8.21", lambda m: m.grad(lambda z: m.np.real(m.np.dot(m.np.conj(z), z)))(np.array([1 + 2j]))),
    same("A8.23", lambda m: m.grad(lambda z: m.np.abs(z) ** 2)(np.complex64(Z))),
    same("A8 second derivative", lambda m: m.grad(lambda x: m.grad(lambda y: m.np.exp(1j * y).real)(x))(0.7)),
    same(
        "A8 second derivative of abs",
        lambda m: m.grad(lambda z: m.np.abs(m.grad(lambda w: m.np.abs(w) ** 3)(z)))(Z), rtol=1e-12,
    ),
    same("A8 real and complex", lambda m: m.grad(lambda x, z: (x * z).real.sum(), (0, 1))(np.arange(3.0), ZS)),
    same("A8 broadcast", lambda m: m.grad(lambda x, z: m.np.imag(x * z * z).sum(), (0, 1))(np.ones((2, 1)), ZS)),
    same("A8 imag of a float", lambda m: m.grad(lambda x: m.np.imag(x) + m.np.real(x) * 2)(3.0)),
    same("A8 conj of a float", lambda m: m.grad(lambda x: m.np.conj(x) * x)(3.0)),
    same("A8 where", lambda m: m.grad(lambda z: m.np.where(z.real > 0, z, 2 * z).imag.sum())(ZS)),
    same(
        "A8 concatenate",
        lambda m: m.grad(lambda x: m.np.abs(m.np.concatenate([x, x * 1j, ZS])).sum())(np.array([1.0, -2])),
    ),
)
def test_real_functions_of_complex_numbers(row: Any) -> None:
    check(row)


# ---- The same convention in vjp: cotangents are multiplied, not conjugated ------------------------------------------


@rows(
    same("A8.24", lambda m: m.vjp(lambda z: z**2, Z)[1](1 + 0j)),
    same("A8.25", lambda m: m.vjp(m.np.conj, Z)[1](1j)),
    same("A8.26", lambda m: m.vjp(m.np.real, Z)[1](1.0)),
    same("A8.27", lambda m: m.vjp(lambda x: x * 1j, 3.0)[1](1 + 2j)),
    same("A8.27 arrays", lambda m: m.vjp(lambda x, z: x * z, np.ones((2, 1)), ZS)[1](np.array([ZS, 1j * ZS]))),
)
def test_vjp(row: Any) -> None:
    check(row)


def test_the_convention_by_finite_differences() -> None:
    """The gradient of a real u(x + iy) is du/dx - i du/dy; that of a holomorphic function is its derivative."""

    def u(z: Any) -> Any:
        return np.real(np.exp(z) * np.conj(z) ** 2) + np.abs(z) * np.imag(z)

    h = 1e-6
    g = grad(u)(Z)
    slope = (u(Z + h) - u(Z - h)) / (2 * h) - 1j * (u(Z + 1j * h) - u(Z - 1j * h)) / (2 * h)
    assert type(g) is complex
    np.testing.assert_allclose(g, slope, rtol=1e-8)

    def f(z: Any) -> Any:
        return np.exp(z * 1j) / (z + 2) ** 2

    value, g = value_and_grad(f, holomorphic=True)(Z)
    assert type(g) is complex
    np.testing.assert_allclose(value, f(Z), rtol=1e-15)
    for direction in (h, 1j * h, (1 + 1j) * h):
        np.testing.assert_allclose(g, (f(Z + direction) - f(Z - direction)) / (2 * direction), rtol=1e-8)


def test_a_descent_goes_along_the_conjugate() -> None:
    """What the convention means for a user: z - step * conj(gradient) goes downhill."""
    z, target = np.array([1 + 1j, -2j]), np.array([0.5 - 1j, 3 + 0j])
    gradient = grad(lambda z: np.sum(np.abs(z - target) ** 2))
    for _ in range(100):
        z = z - 0.25 * np.conj(gradient(z))
    np.testing.assert_allclose(z, target, rtol=1e-12)
