"""Routes for liveness and readiness. A service is ready if its database is writable and its broker answers."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from service.api.schemas import Health
from service.errors import DatabaseReadOnly
from service.jobs.service import Jobs
from service.storage import migrate

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """Report that the process is alive. This check uses neither the database nor a thread of the pool."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "The database or the broker is unavailable"}})
def readyz(request: Request, response: Response) -> Health:
    """Report whether the database is writable with a current schema, and whether the broker answers."""
    jobs: Jobs = request.app.state.all_jobs
    checks = {"database": _status(lambda: _check_database(jobs)), "broker": _status(jobs.notifier.ping)}
    ready = all(status == "ok" for status in checks.values())
    response.status_code = 200 if ready else 503
    return Health(status="ok" if ready else "unavailable", checks=checks)


def _check_database(jobs: Jobs) -> None:
    if not migrate.is_current(jobs.store.database.engine):
        raise LookupError
    jobs.store.database.check_writable()


def _status(check: Callable[[], None]) -> str:
    try:
        check()
    except LookupError:
        return "the schema is not current; run `salience migrate`"
    except DatabaseReadOnly:
        return "read-only or a standby; point SALIENCE_DATABASE_URL at the primary"
    except Exception as error:  # noqa: BLE001  # any error of a driver means that the server does not answer
        return f"does not answer ({type(error).__name__})"
    return "ok"
