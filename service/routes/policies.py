"""Policies over HTTP: kept in versions, and asked what they say of a job's results."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from service.gate import Verdict
from service.http_errors import documented
from service.policies import Policies
from service.policy import Policy
from service.routes.access import ADMIN, READ
from service.routes.jobs import JobsHere
from service.schemas import Check, PolicyBody, PolicyList

router = APIRouter(prefix="/v1/policies", tags=["policies"])

NOT_FOUND, CONFLICT, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
Named = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="the newest unless given")]


def the_policies(jobs: JobsHere) -> Policies:
    """The use cases of this application."""
    return Policies(jobs)


PoliciesHere = Annotated[Policies, Depends(the_policies)]


@router.get("", dependencies=[READ])
def find(jobs: JobsHere) -> PolicyList:
    """List the newest version of every policy."""
    return PolicyList(items=[PolicyBody.of(each) for each in jobs.store.policies.newest()])


@router.put(
    "/{name}",
    dependencies=[ADMIN],
    responses={201: {"model": PolicyBody, "description": "A new version"}, **documented(INVALID)},
)
def put(name: Named, policy: Policy, policies: PoliciesHere, response: Response) -> PolicyBody:
    """Store a policy as the next version of its name, unless it equals the newest version."""
    before = policies.newest_version(name)
    kept = policies.put(name, policy)
    if kept.version != before:
        response.status_code = HTTPStatus.CREATED
    response.headers["Location"] = f"/v1/policies/{name}?version={kept.version}"
    return PolicyBody.of(kept)


@router.get("/{name}", dependencies=[READ], responses=documented(NOT_FOUND, INVALID))
def get(name: Named, jobs: JobsHere, version: Version = None) -> PolicyBody:
    """Get a policy. A version that judged a job stays readable after its policy is deleted."""
    return PolicyBody.of(jobs.store.policies.get(name, version))


@router.get("/{name}/versions", dependencies=[READ], responses=documented(NOT_FOUND, INVALID))
def versions(name: Named, jobs: JobsHere) -> PolicyList:
    """List all versions of a policy, newest first."""
    return PolicyList(items=[PolicyBody.of(each) for each in jobs.store.policies.versions(name)])


@router.delete(
    "/{name}", dependencies=[ADMIN], status_code=HTTPStatus.NO_CONTENT, responses=documented(NOT_FOUND, INVALID)
)
def delete(name: Named, jobs: JobsHere) -> None:
    """Delete a policy for new jobs. Accepted jobs are judged by the version that they have."""
    jobs.store.policies.withdraw(name)


@router.post("/{name}/check", dependencies=[READ], responses=documented(NOT_FOUND, CONFLICT, INVALID))
def check(name: Named, asked: Check, policies: PoliciesHere) -> Verdict:
    """Judge the stored results of a job by a policy. The job's own verdict stays as it is."""
    return policies.check(name, asked.job, asked.version)
