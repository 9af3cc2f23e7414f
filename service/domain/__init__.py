"""The entities of the service, such as jobs and policies, without HTTP and SQL."""
