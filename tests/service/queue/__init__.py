"""Tests of the queue and the sweeper."""
