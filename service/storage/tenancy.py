"""Isolation of tenants: a session of a tenant reads and changes that tenant's rows only, whatever the statement.

The isolation covers every table with a column `tenant`, including tables that are added later. Queries reach the rows
of a job through the job's row, so these are covered too, and no query needs its own condition. Plain SQL text is not
covered.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria

from service.storage.tables.base import Rows

TENANT = "tenant"


class TenantSession(Session):
    """A session of one tenant, whose name is in `info`."""


def _tenant_tables() -> Sequence[type[Any]]:
    """Return all tables with a tenant column. The list is not cached, since a table may be imported later."""
    return [mapper.class_ for mapper in Rows.registry.mappers if TENANT in mapper.columns]


@event.listens_for(TenantSession, "do_orm_execute")
def _filter_by_tenant(execution: ORMExecuteState) -> None:
    """Limit every SELECT, UPDATE and DELETE to the tenant's rows."""
    tenant = execution.session.info[TENANT]
    execution.statement = execution.statement.options(
        *(with_loader_criteria(rows, rows.tenant == tenant, include_aliases=True) for rows in _tenant_tables())
    )


@event.listens_for(TenantSession, "before_flush")
def _set_tenant(session: Session, _flush: UOWTransaction, _instances: object) -> None:
    """Assign every new row to the tenant."""
    for row in session.new:
        if isinstance(row, tuple(_tenant_tables())):
            row.tenant = session.info[TENANT]  # type: ignore[attr-defined]  # all of these tables have the column
