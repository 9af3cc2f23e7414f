from pathlib import Path

import pytest

from service.commands.gate_files import read_gate
from service.errors import SalienceError, SpecInvalid, SpecUnreadable

RULES = "rules:\n  - {measure: noise.parts.0.1, op: '>=', value: 0.5}\n"


def test_a_gate_file_can_contain_a_gate_a_policy_or_the_name_of_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(RULES)
    rules = {"rules": [{"measure": "noise.parts.0.1", "op": ">=", "value": 0.5}]}
    assert read_gate(path) == rules
    path.write_text("description: strict\ngate:\n  " + RULES.replace("\n", "\n  "))
    assert read_gate(path) == rules
    path.write_text("policy: detectors\n")
    assert read_gate(path) == {"policy": "detectors"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", SpecUnreadable),
        ("- 1", SpecUnreadable),
        ("a: [", SpecUnreadable),
        ("rules: []", SpecInvalid),
        ("gate: {rules: [{measure: entropy}]}", SpecInvalid),
        ("!!python/object/apply:os.system [exit]", SpecUnreadable),
    ],
)
def test_a_gate_file_without_a_valid_gate_is_refused(tmp_path: Path, text: str, error: type[SalienceError]) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(error):
        read_gate(path)
