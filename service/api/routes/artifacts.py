"""Routes for artifacts: uploaded models and image sets, stored under their SHA-256."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.api.dependencies import READ, SUBMIT
from service.api.errors import documented
from service.api.routes.jobs import CurrentJobs
from service.api.schemas import ArtifactBody
from service.artifacts.store import Artifact
from service.errors import ArtifactNotFound

router = APIRouter(prefix="/v1/artifacts", tags=["artifacts"])

HEX = "^[0-9a-fA-F]{64}$"
BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {
    "type": "string", "format": "binary"}}}}}  # fmt: skip


@router.put(
    "",
    dependencies=[SUBMIT],
    status_code=201,
    openapi_extra=BODY,
    responses={200: {"description": "The artifact already existed"}, **documented(HTTPStatus.UNPROCESSABLE_ENTITY)},
)
async def upload(
    request: Request,
    jobs: CurrentJobs,
    response: Response,
    sha256: Annotated[str | None, Query(pattern=HEX, description="SHA-256 that the bytes must have.")] = None,
) -> ArtifactBody:
    """Upload a model or an archive. Specs refer to the upload by the `uri` in the answer."""
    stored = await jobs.artifacts.store(request.stream(), sha256, jobs.limits.max_artifact_bytes)
    if not stored.new:
        response.status_code = HTTPStatus.OK
    return _body(stored)


@router.get(
    "/{sha256}",
    dependencies=[READ],
    operation_id="look_v1_artifacts__sha256__get",  # generated clients use this name
    responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def get(jobs: CurrentJobs, sha256: Annotated[str, Path(pattern=HEX)]) -> ArtifactBody:
    """Get the size of an upload. The answer is 404 if there is no upload with this SHA-256."""
    digest = sha256.lower()
    size = jobs.artifacts.size_of(digest)
    if size is None:
        raise ArtifactNotFound(digest=digest)
    return _body(Artifact(digest, size, new=False))


def _body(artifact: Artifact) -> ArtifactBody:
    return ArtifactBody(uri=artifact.uri, sha256=artifact.digest, size=artifact.size)
