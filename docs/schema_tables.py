"""Markdown tables of pydantic models, made from their JSON schemas."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
LIMITS = {
    "minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters", "minItems": "at least {} item(s)", "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}  # fmt: skip


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or an empty string if there are no rows."""
    lines = [head, ["---"] * len(head), *rows] if rows else []
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def model_tables(model: type[BaseModel], *, answer: bool = False, without: Collection[str] = ()) -> str:
    """Return a section with a table for a model and for each model in it, in the order of their first mention.

    With `answer`, the table has no defaults, since clients only read the model. Models in `without` get no section;
    links to them lead to spec.md.
    """
    schema = model.model_json_schema(mode="serialization" if answer else "validation")
    found = {**schema.get("$defs", {}), model.__name__: schema}
    links = {name: _link(name, part, "spec.md" if name in without else "") for name, part in found.items()}
    names = [name for name in _in_order(model.__name__, found) if name not in without]
    return "\n".join(_section(name, found[name], links, answer) for name in names if "properties" in found[name])


def _constraints(schema: Schema) -> str:
    """Return the limits of a value, such as: At least 0, at most 1."""
    parts = [each for each in (schema, *schema.get("anyOf", [])) if "prefixItems" not in each]
    limits = [text.format(_number(part[key])) for part in parts for key, text in LIMITS.items() if key in part]
    return ", ".join(limits).capitalize()


def _in_order(name: str, found: Mapping[str, Schema]) -> Iterator[str]:
    seen, waiting = set(), [name]
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name
            references = _references(found[name].get("properties", {}))
            waiting = [*references, *waiting]


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [name for each in part for name in _references(each)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"].rpartition("/")[2]] if isinstance(part.get("$ref"), str) else []
    return own + [name for each in part.values() for name in _references(each)]


def _link(name: str, schema: Schema, page: str) -> str:
    return f"[{name}]({page}#{name.lower()})" if "properties" in schema else _values(schema)


def _section(name: str, schema: Schema, links: Mapping[str, str], answer: bool) -> str:
    required = schema.get("required", [])
    head = ["field", "type", "meaning"] if answer else ["field", "type", "default", "meaning"]
    rows = []
    for field, part in schema["properties"].items():
        default = "required" if field in required else _default(part)
        rows.append([f"`{field}`", _type(part, links), *([] if answer else [default]), meaning(part)])
    return f"### {name}\n\n{schema.get('description', '')}\n\n{table(head, rows)}"


def meaning(part: Schema) -> str:
    """Return the first paragraph of the description, and the limits of the value."""
    text, limits = " ".join(part.get("description", "").split("\n\n")[0].split()), _constraints(part)
    return f"{text} {limits}." if limits else text


def _default(part: Schema) -> str:
    default = part.get("default")
    if isinstance(default, dict):
        return "`{}`"  # the fields of the object have defaults of their own
    return f"`{json.dumps(default)}`" if "default" in part else ""


def _type(part: Schema, links: Mapping[str, str]) -> str:
    if "$ref" in part:
        return links[part["$ref"].rpartition("/")[2]]
    if "anyOf" in part:
        return " or ".join(_type(each, links) for each in part["anyOf"])
    if "enum" in part or "const" in part:
        return _values(part)
    if "prefixItems" in part:
        return f"[{', '.join(_type(each, links) for each in part['prefixItems'])}]"
    if part.get("type") == "array":
        return f"list of {_type(part['items'], links)}"
    if isinstance(part.get("additionalProperties"), dict):
        return f"object of {_type(part['additionalProperties'], links)}"
    return str(part.get("format") or part.get("type", "any"))


def _values(part: Schema) -> str:
    return ", ".join(f"`{each}`" for each in part.get("enum", [part.get("const")]))


def _number(value: float) -> str:
    return f"{value:,.10g}".replace(",", "") if value < 2**53 else "2^63 - 1" if value == 2**63 - 1 else "2^63"
