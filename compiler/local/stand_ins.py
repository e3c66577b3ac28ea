"""What stands in for SageMaker's own images where the project does not say: packages from PyPI, of their versions.

The images of scikit-learn and XGBoost have Pythons that are no longer maintained (3.7 to 3.10). We take the newest
for which PyPI has wheels of that version, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagewright.compiler.images import framework_of_uri

_SKLEARN = {"0.23": "3.9", "1.0": "3.10", "1.2": "3.11", "1.4": "3.12"}
_XGBOOST = {"1.0": "3.11", "1.2": "3.11", "1.3": "3.11", "1.5": "3.11", "1.7": "3.11"}
"""By version: the newest Python with wheels of it, and of the numpy that it needs. Source: PyPI, September 2026."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A stand-in. `newest` is the last Python that it goes with, None: any; `what` says it before it is made, `but`
    what is other than in the image."""

    requirements: tuple[str, ...]
    newest: str | None
    what: str
    but: str


def stand_in(image: str) -> list[Stand]:
    """Stand-ins for an image, best first; none for one that we do not know."""
    framework, version = framework_of_uri(image) or (None, None)
    number = ".".join((version or "").partition("-")[0].split(".")[:2])
    if framework == "sklearn" and number:
        return _sklearn(number)
    return (
        _xgboost(number) if framework == "xgboost" and "." in number and not number.startswith("0.") else []
    )


def _sklearn(version: str) -> list[Stand]:
    old = version in _SKLEARN
    extras = ("numpy<2", "pandas<3" if version == "1.4" else "pandas<2") if old else ("numpy", "pandas")
    exact = Stand(
        (f"scikit-learn=={version}.*", *extras),
        _SKLEARN.get(version),
        f"scikit-learn {version}, numpy and pandas are fetched from PyPI (about 80 MB), once",
        "the image has another Python, numpy and pandas",
    )
    if not old or version.startswith("0."):
        return [exact]
    nearest = Stand(
        (f"scikit-learn>={version},<2", "numpy", "pandas"),
        None,
        f"no Python {_SKLEARN[version]} is here, for which scikit-learn {version} was built: a newer one is fetched",
        f"scikit-learn {version} has no wheels for this Python, and what it pickles may not be read on AWS",
    )
    return [exact, nearest]


def _xgboost(version: str) -> list[Stand]:
    numpy = "numpy<1.24" if version < "1.6" else "numpy<2" if version in _XGBOOST else "numpy"
    learn = "scikit-learn<1.6" if version in _XGBOOST else "scikit-learn"
    return [
        Stand(
            (f"xgboost=={version}.*", numpy, "pandas<2" if version in _XGBOOST else "pandas", learn),
            _XGBOOST.get(version),
            f"xgboost {version} and what it needs are fetched from PyPI (about 300 MB), once",
            "the image has another Python, numpy and pandas",
        )
    ]
