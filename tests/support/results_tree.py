"""Walks results documents."""

from collections.abc import Iterator
from typing import Any

from service.measures.tree import SPREAD_STATISTICS


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The paths of all numbers that a rule may name. The class "real" represents all classes."""
    if tree is None:
        yield ".".join(each for each in path if each != "mean").replace("strata.class.", "strata.class.real.")
    keys = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in keys:
        if key not in SPREAD_STATISTICS:
            yield from leaves(value, (*path, str(key)))
