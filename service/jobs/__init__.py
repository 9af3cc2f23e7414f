"""The use cases: jobs, policies, maps and verdicts. They know no HTTP and no SQL."""
