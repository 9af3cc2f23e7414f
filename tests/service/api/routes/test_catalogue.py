from typing import get_args

import httpx

from service.spec.model import MeasureName, Method


def test_every_measure_is_described_with_its_parameters(api: httpx.Client) -> None:
    found = {each["name"]: each for each in api.get("/v1/measures").json()}
    assert tuple(found) == get_args(MeasureName)
    assert found["noise"]["parameters"]["amounts"]["default"] == [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]
    assert found["entropy"]["parameters"] == {}
    assert found["entropy"]["range"] == [0, 1]
    for each in found.values():
        assert each["meaning"]
        assert each["source"]


def test_every_method_is_described_with_its_parameters(api: httpx.Client) -> None:
    found = {each["name"]: each for each in api.get("/v1/methods").json()}
    assert tuple(found) == get_args(Method)
    assert found["rise"]["parameters"]["masks"]["default"] == 500
    assert "Selvaraju" in found["gradcam"]["source"]


def test_the_schema_of_the_spec_describes_each_measure_and_method(api: httpx.Client) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    for each in api.get("/v1/measures").json():
        assert each["meaning"] in schemas["JobSpec"]["properties"]["measures"]["description"]
    for each in api.get("/v1/methods").json():
        assert each["meaning"] in schemas["Salience"]["properties"]["method"]["description"]
