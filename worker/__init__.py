"""The audit itself: models, maps, measures. Started by Celery, or in one process by `salience audit`."""
