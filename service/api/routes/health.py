"""Liveness: the process answers. Readiness: the database takes changes and the broker answers."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from service.api.schemas import Health
from service.errors import DatabaseReadOnly
from service.jobs.service import Jobs
from service.storage import migrate as schema

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive. Asks no database and takes no thread, which may all be waiting."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "Something needed does not answer"}})
def readyz(request: Request, response: Response) -> Health:
    """The database (with its schema) takes changes, and the broker answers."""
    jobs: Jobs = request.app.state.all_jobs
    checks = {"database": _state_of(lambda: _database(jobs)), "broker": _state_of(jobs.notifier.ping)}
    ready = all(state == "ok" for state in checks.values())
    response.status_code = 200 if ready else 503
    return Health(status="ok" if ready else "unavailable", checks=checks)


def _database(jobs: Jobs) -> None:
    if not schema.is_current(jobs.store.database.engine):
        raise LookupError
    jobs.store.database.check_writable()


def _state_of(check: Callable[[], None]) -> str:
    try:
        check()
    except LookupError:
        return "its schema is not current; run `salience migrate`"
    except DatabaseReadOnly:
        return "takes no changes: it is read-only, or a standby"
    except Exception as error:  # noqa: BLE001  # whatever a driver raises means that it does not answer
        return f"does not answer ({type(error).__name__})"
    return "ok"
