"""The spec of a job: its fields, spec files, and the resolution of omitted fields."""
