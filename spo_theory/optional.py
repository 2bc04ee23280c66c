"""Which extra of the installation brings an optional package, said where one is missing."""

PROJECT = "spectral-policy-lab"

EXTRAS = {
    "demo": ("jinja2", "markupsafe"),
    "theory": ("jax", "jaxlib", "optax", "pandas", "pyarrow", "matplotlib", "tqdm", "tyro"),
    "lab": ("torch", "joblib"),
    "gym": ("reasoning_gym",),
    "trl": ("trl", "transformers", "datasets", "accelerate"),
}
"""Packages that the base installation does not have, by the extra that brings them."""


def install_hint(package: str, extra: str = "") -> str:
    """What to install for a missing package, in one line; "" for a package that no extra brings.

    package: as imported; submodules are allowed. extra: what to name instead of the smallest extra that brings it.

    Example:
        >>> install_hint("jax.numpy")
        "jax is not installed; it comes with: pip install 'spectral-policy-lab[theory]'"
        >>> install_hint("nothing")
        ''
    """
    top = package.partition(".")[0]
    smallest = next((name for name, packages in EXTRAS.items() if top in packages), "")
    return f"{top} is not installed; it comes with: pip install '{PROJECT}[{extra or smallest}]'" if smallest else ""
