"""The wall between tenants: a session of one sees and changes its rows alone, whatever is asked of it.

Every table with a column `tenant` is behind it, also one that is added tomorrow; what belongs to a job is reached by
the job's row, and so is behind it too. Whoever asks needs to know nothing of this. Plain SQL text is not narrowed.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from service.storage.tables.jobs import Rows

TENANT = "tenant"


class TenantSession(Session):
    """A session of one tenant, named in its `info`."""


def _tenant_tables() -> Sequence[type[Any]]:
    """The tables of which each row is a tenant's. Looked up each time, lest one that is loaded late be left out."""
    return [mapper.class_ for mapper in Rows.registry.mappers if TENANT in mapper.columns]


@event.listens_for(TenantSession, "do_orm_execute")
def _filter_by_tenant(asked: ORMExecuteState) -> None:
    """Have every SELECT, UPDATE and DELETE find the tenant's rows only."""
    tenant = asked.session.info[TENANT]
    asked.statement = asked.statement.options(
        *(with_loader_criteria(rows, rows.tenant == tenant, include_aliases=True) for rows in _tenant_tables())
    )


@event.listens_for(TenantSession, "before_flush")
def _set_tenant(session: Session, _flush: UOWTransaction, _instances: object) -> None:
    """Have every new row be the tenant's."""
    for row in session.new:
        if isinstance(row, tuple(_tenant_tables())):
            row.tenant = session.info[TENANT]  # type: ignore[attr-defined]  # as all of these
