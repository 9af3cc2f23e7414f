"""Receives webhooks of a model registry. The route stores a delivery and answers; RegistrySync handles it later."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from service.api.errors import documented
from service.errors import NotConfigured
from service.integrations.mlflow.webhook import WINDOW_SECONDS, Delivery
from service.jobs.service import Jobs

router = APIRouter(prefix="/v1/hooks", tags=["registry"])

REFUSALS = (
    HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE,
)  # fmt: skip
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


class HookAnswer(BaseModel):
    """The answer to a webhook delivery of the registry."""

    noticed: str | None = Field(description="Model version to audit, as NAME/VERSION; null for other events.")


@router.post("/mlflow", status_code=202, openapi_extra=BODY, responses=documented(*REFUSALS))
async def mlflow(request: Request) -> HookAnswer:
    """Receive a webhook delivery from MLflow about a new model version, or about its tag `salience.cohort`.

    The delivery must be signed with SALIENCE_MLFLOW_SECRET, be at most five minutes old, and be new.
    """
    secret, jobs = request.app.state.mlflow_secret, request.app.state.all_jobs
    if not secret:
        raise NotConfigured(
            what="The webhook of the registry", setting="MLFLOW_TRACKING_URI and SALIENCE_MLFLOW_SECRET"
        )
    headers = request.headers
    delivery = Delivery(
        headers.get("X-MLflow-Delivery-Id", ""),
        headers.get("X-MLflow-Timestamp", ""),
        headers.get("X-MLflow-Signature", ""),
        await request.body(),
    )
    delivery.check(secret, time.time())
    subject = delivery.subject()
    await run_in_threadpool(_record, jobs, delivery.id, subject)
    return HookAnswer(noticed="/".join(subject) if subject else None)


def _record(jobs: Jobs, delivery: str, subject: tuple[str, str] | None) -> None:
    jobs.store.registry.record_delivery(delivery, WINDOW_SECONDS, subject)
