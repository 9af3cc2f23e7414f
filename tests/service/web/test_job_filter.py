from service.domain.job import JobState
from service.web.job_filter import Filter


def test_an_address_says_the_filter_and_nothing_for_none() -> None:
    chosen = Filter(JobState.FAILED, "a & b", ("k:v", "k:w"), "MTA=")
    assert Filter().at(None) == "/"
    assert chosen.query() == "state=failed&name=a+%26+b&label=k%3Av&label=k%3Aw&cursor=MTA%3D"


def test_another_filter_begins_at_the_newest_jobs() -> None:
    chosen = Filter(JobState.FAILED, "n", ("k:v",), "MTA=")
    assert chosen.of_state(None) == "/?name=n&label=k%3Av"
    assert chosen.of_state("queued") == "/?state=queued&name=n&label=k%3Av"
    assert chosen.of_name(None) == "/?state=failed&label=k%3Av"
    assert chosen.with_label("k:w") == "/?state=failed&name=n&label=k%3Av&label=k%3Aw"
    assert chosen.with_label("k:v") == chosen.at(None)
    assert chosen.without_label("k:v") == "/?state=failed&name=n"
