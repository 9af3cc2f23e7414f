"""Telling others over HTTP that a job has ended, as the Standard Webhooks specification has it."""
