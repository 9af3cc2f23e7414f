"""Outbound webhooks: HTTP messages about the end of a job, by the Standard Webhooks specification."""
