"""Choose the family that explains most of a country's demand, and say whether that is enough."""

from __future__ import annotations

from typing import Any

FAMILIES = ("linear", "forest", "boosting")
"""Where two do equally well, the one that comes first: it is the simpler one."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The event has `<family>_home`, `<family>_abroad`, `<family>_model` for each family, and `min_home`."""
    best = max(FAMILIES, key=lambda family: float(event[f"{family}_home"]))
    home = float(event[f"{best}_home"])
    return {
        "family": best,
        "model": event[f"{best}_model"],
        "home": home,
        "abroad": float(event[f"{best}_abroad"]),
        "approval": "PendingManualApproval" if home >= float(event["min_home"]) else "Rejected",
    }
