"""The report: a self-contained HTML page that explains the results of a job."""
