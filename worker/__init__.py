"""The audit: models, maps and measures. Celery runs it in workers, `salience audit` in one process."""
