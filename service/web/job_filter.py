"""The filter of the job list, and the URLs of filtered lists. Knows no HTTP and no SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from service.domain.job import JobState


@dataclass(frozen=True)
class Filter:
    """State, name, labels (key:value) and the cursor of a page."""

    state: JobState | None = None
    name: str | None = None
    labels: Sequence[str] = ()
    cursor: str | None = None

    @property
    def is_any(self) -> bool:
        """Whether all jobs are shown."""
        return not (self.state or self.name or self.labels)

    def query(self) -> str:
        """Return the query of the URL of the filtered list; empty for all jobs."""
        pairs: Iterable[tuple[str, str | None]] = [
            ("state", self.state), ("name", self.name), *(("label", label) for label in self.labels),
            ("cursor", self.cursor),
        ]  # fmt: skip
        return urlencode([(key, value) for key, value in pairs if value])

    def of_state(self, state: str | None) -> str:
        """Return the URL of the same list for another state, or for all."""
        return _address(replace(self, state=JobState(state) if state else None, cursor=None))

    def of_name(self, name: str | None) -> str:
        """Return the URL of the same list for another name, or for all."""
        return _address(replace(self, name=name, cursor=None))

    def with_label(self, label: str) -> str:
        """Return the URL of the jobs of this list that also have a label."""
        return _address(replace(self, labels=tuple(dict.fromkeys([*self.labels, label])), cursor=None))

    def without_label(self, label: str) -> str:
        """Return the URL of the same list without the filter on a label."""
        return _address(replace(self, labels=tuple(each for each in self.labels if each != label), cursor=None))

    def at(self, cursor: str | None) -> str:
        """Return the URL of another page of the list."""
        return _address(replace(self, cursor=cursor))


def _address(chosen: Filter) -> str:
    query = chosen.query()
    return f"/?{query}" if query else "/"
