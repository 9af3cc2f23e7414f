"""Tests of the commands of `salience`."""
