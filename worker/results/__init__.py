"""Builds the results of jobs, final and interim, from the stored numbers of images."""
