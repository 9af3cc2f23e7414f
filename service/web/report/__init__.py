"""The report: one page, with nothing outside it, that says what a job's numbers mean. Pure: documents in, HTML out."""
