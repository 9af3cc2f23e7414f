"""The body of a request that MLflow sends to a webhook."""

import json

BODY = json.dumps({"entity": "model_version", "action": "created", "data": {"name": "faces", "version": "3"}})
