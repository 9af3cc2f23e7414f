"""The worker: loads models, computes salience maps and measures them. Celery or `salience audit` runs it."""
