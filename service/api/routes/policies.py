"""Routes for policies: store versions of a policy, and judge the results of a job by a policy."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from service.api.dependencies import ADMIN, READ
from service.api.errors import documented
from service.api.routes.jobs import CurrentJobs
from service.api.schemas import Check, PolicyBody, PolicyList
from service.domain.policy import Policy
from service.gate import Verdict
from service.jobs.policies import Policies

router = APIRouter(prefix="/v1/policies", tags=["policies"])

NOT_FOUND, CONFLICT, INVALID = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
PolicyName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Version of the policy. Default: the newest.")]


def get_policies(jobs: CurrentJobs) -> Policies:
    """Return the use cases of policies for the caller's tenant."""
    return Policies(jobs)


CurrentPolicies = Annotated[Policies, Depends(get_policies)]


@router.get("", dependencies=[READ])
def find(jobs: CurrentJobs) -> PolicyList:
    """List the newest version of every policy."""
    return PolicyList(items=[PolicyBody.from_policy(each) for each in jobs.store.policies.newest()])


@router.put(
    "/{name}",
    dependencies=[ADMIN],
    responses={201: {"model": PolicyBody, "description": "A new version"}, **documented(INVALID)},
)
def put(name: PolicyName, policy: Policy, policies: CurrentPolicies, response: Response) -> PolicyBody:
    """Store a policy as the next version of its name, unless it equals the newest version."""
    before = policies.newest_version(name)
    stored = policies.put(name, policy)
    if stored.version != before:
        response.status_code = HTTPStatus.CREATED
    response.headers["Location"] = f"/v1/policies/{name}?version={stored.version}"
    return PolicyBody.from_policy(stored)


@router.get("/{name}", dependencies=[READ], responses=documented(NOT_FOUND, INVALID))
def get(name: PolicyName, jobs: CurrentJobs, version: Version = None) -> PolicyBody:
    """Get a policy. A version that judged a job stays readable after its policy is deleted."""
    return PolicyBody.from_policy(jobs.store.policies.get(name, version))


@router.get("/{name}/versions", dependencies=[READ], responses=documented(NOT_FOUND, INVALID))
def versions(name: PolicyName, jobs: CurrentJobs) -> PolicyList:
    """List all versions of a policy, newest first."""
    return PolicyList(items=[PolicyBody.from_policy(each) for each in jobs.store.policies.versions(name)])


@router.delete(
    "/{name}", dependencies=[ADMIN], status_code=HTTPStatus.NO_CONTENT, responses=documented(NOT_FOUND, INVALID)
)
def delete(name: PolicyName, jobs: CurrentJobs) -> None:
    """Delete a policy: new jobs cannot use it. Jobs accepted earlier are still judged by their version of it."""
    jobs.store.policies.withdraw(name)


@router.post("/{name}/check", dependencies=[READ], responses=documented(NOT_FOUND, CONFLICT, INVALID))
def check(name: PolicyName, target: Check, policies: CurrentPolicies) -> Verdict:
    """Judge the stored results of a job by a policy. The job's own verdict stays as it is."""
    return policies.check(name, target.job, target.version)
