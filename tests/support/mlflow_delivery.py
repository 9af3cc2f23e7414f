"""A delivery of MLflow's webhooks."""

import json

BODY = json.dumps({"entity": "model_version", "action": "created", "data": {"name": "faces", "version": "3"}})
