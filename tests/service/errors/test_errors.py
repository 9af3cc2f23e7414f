import re
from collections.abc import Iterator

import pytest

from service import errors
from service.api.errors import status_for
from service.errors import FieldProblem, ModelRefused, SalienceError, SpecInvalid, naming_field


def every_kind(of: type[SalienceError] = SalienceError) -> Iterator[type[SalienceError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from every_kind(kind)


@pytest.mark.parametrize("error", list(every_kind()), ids=lambda error: error.__name__)
def test_every_error_class_has_an_http_status_and_a_unique_kind(error: type[SalienceError]) -> None:
    assert 400 <= status_for(error) < 600
    assert [other for other in every_kind() if other.kind == error.kind] == [error]


@pytest.mark.parametrize("error", list(every_kind()), ids=lambda error: error.__name__)
def test_the_drawing_of_the_error_tree_shows_every_error_class(error: type[SalienceError]) -> None:
    assert f"── {error.__name__}" in (errors.__doc__ or "")


def test_naming_field_adds_a_field_to_an_error_that_has_none() -> None:
    with pytest.raises(ModelRefused) as caught, naming_field("outer"), naming_field("inner"):
        raise ModelRefused(reason="no")
    assert caught.value.problems() == [FieldProblem("inner", "no")]


def test_a_pydantic_location_becomes_a_path_with_dots_and_brackets() -> None:
    assert FieldProblem.at(("cohorts", 0, "model", "layer"), "").field == "cohorts[0].model.layer"


@pytest.mark.parametrize("error", list(every_kind()), ids=lambda error: error.__name__)
def test_the_message_of_every_error_is_one_line(error: type[SalienceError]) -> None:
    facts = dict.fromkeys(re.findall(r"{(\w+)", error.__doc__ or ""), 1)
    message = str(error([]) if error is SpecInvalid else error(**facts))
    assert message.splitlines() == [message]
