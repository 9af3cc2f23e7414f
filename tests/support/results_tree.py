"""Lists the paths of the numbers in results documents."""

from collections.abc import Iterator
from typing import Any

from service.measures.tree import SPREAD_STATISTICS


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of every number that a rule may name. Numbers by class are listed for the class `real` alone."""
    if tree is None:
        yield ".".join(each for each in path if each != "mean").replace("strata.class.", "strata.class.real.")
    keys = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in keys:
        if key not in SPREAD_STATISTICS:
            yield from leaves(value, (*path, str(key)))
