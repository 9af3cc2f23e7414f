from service.domain.job import JobState
from service.web.job_filter import Filter


def test_the_url_of_the_job_list_contains_the_filter() -> None:
    chosen = Filter(JobState.FAILED, "a & b", ("k:v", "k:w"), "MTA=")
    assert Filter().at(None) == "/"
    assert chosen.query() == "state=failed&name=a+%26+b&label=k%3Av&label=k%3Aw&cursor=MTA%3D"


def test_a_changed_filter_leads_to_the_first_page_of_the_job_list() -> None:
    chosen = Filter(JobState.FAILED, "n", ("k:v",), "MTA=")
    assert chosen.of_state(None) == "/?name=n&label=k%3Av"
    assert chosen.of_state("queued") == "/?state=queued&name=n&label=k%3Av"
    assert chosen.of_name(None) == "/?state=failed&label=k%3Av"
    assert chosen.with_label("k:w") == "/?state=failed&name=n&label=k%3Av&label=k%3Aw"
    assert chosen.with_label("k:v") == chosen.at(None)
    assert chosen.without_label("k:v") == "/?state=failed&name=n"
