"""Removes the intervals that do not hold in a job that stopped early. Pure: plain values in, plain values out."""

from typing import Any

from worker.statistics.tree import CHANCE_STATISTICS

STOPPED = "the job stopped early, where an interval of this number would be too narrow"


def without_intervals(tree: Any) -> Any:
    """Return results without the intervals of detection performance, of chance and of corrected numbers."""
    if isinstance(tree, list):
        return [without_intervals(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    found = {
        key: _performance(value) if key == "performance" else without_intervals(value) for key, value in tree.items()
    }
    for name in CHANCE_STATISTICS:
        if f"{name}_ci95" in found:
            found |= {f"{name}_ci95": None, f"{name}_note": found.get(f"{name}_note", STOPPED)}
    return found


def _performance(branch: dict[str, Any]) -> dict[str, Any]:
    kept = {key: None if key.endswith("_ci95") else value for key, value in branch.items()}
    worst = {column: _performance(each) for column, each in branch.get("worst_type", {}).items()}
    return {**kept, **({"worst_type": worst} if worst else {}), "note": STOPPED}
