from tests.support.sync_client import SYNC_CLIENT, generate


def test_the_synchronous_client_is_generated_from_the_async_client() -> None:
    assert SYNC_CLIENT.read_text() == generate()
