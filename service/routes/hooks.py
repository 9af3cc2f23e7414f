"""What a model registry tells of its versions, over HTTP. Answered at once; what follows is the registrar's."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from service.errors import NotSetUp
from service.http_errors import documented
from service.jobs import Jobs
from service.registry.hook import WINDOW_SECONDS, Delivery

router = APIRouter(prefix="/v1/hooks", tags=["registry"])

REFUSALS = (
    HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE,
)  # fmt: skip
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


class HookAnswer(BaseModel):
    """What a delivery led to."""

    noticed: str | None = Field(description="the version that will be audited, as NAME/VERSION; null for other events")


@router.post("/mlflow", status_code=202, openapi_extra=BODY, responses=documented(*REFUSALS))
async def mlflow(request: Request) -> HookAnswer:
    """Receive a delivery of MLflow's webhooks about a new model version or its tag `salience.cohort`.

    It must be signed with SALIENCE_MLFLOW_SECRET, not be older than five minutes, and not have come before.
    """
    secret, jobs = request.app.state.mlflow_secret, request.app.state.everyones_jobs
    if not secret:
        raise NotSetUp(what="The registry's hook", setting="MLFLOW_TRACKING_URI and SALIENCE_MLFLOW_SECRET")
    told = request.headers
    delivery = Delivery(
        told.get("X-MLflow-Delivery-Id", ""),
        told.get("X-MLflow-Timestamp", ""),
        told.get("X-MLflow-Signature", ""),
        await request.body(),
    )
    delivery.check(secret, time.time())
    subject = delivery.subject()
    await run_in_threadpool(_take, jobs, delivery.id, subject)
    return HookAnswer(noticed="/".join(subject) if subject else None)


def _take(jobs: Jobs, delivery: str, subject: tuple[str, str] | None) -> None:
    jobs.store.registry.take(delivery, WINDOW_SECONDS, subject)
