import httpx
import pytest

from service.client import Client
from service.errors import RemoteRefused
from tests.audits import Ingredients
from worker.runner import Runner


def test_a_job_is_submitted_followed_and_read(api: httpx.Client, ingredients: Ingredients, runner: Runner) -> None:
    with Client(str(api.base_url)) as client:
        job = client.submit(ingredients.body(), key="k")["id"]
        assert client.submit(ingredients.body(), key="k")["id"] == job
        states = client.follow(job)
        assert next(states)["state"] == "queued"
        while runner.work():
            pass
        assert list(states)[-1]["state"] == "succeeded"
        assert client.results(job)["job"] == job


def test_a_refusal_is_told_in_the_services_words(api: httpx.Client) -> None:
    with Client(str(api.base_url)) as client:
        with pytest.raises(RemoteRefused, match="images"):
            client.submit({})
        with pytest.raises(RemoteRefused, match="no job nobody"):
            client.job("nobody")
