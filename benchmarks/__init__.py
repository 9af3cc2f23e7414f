"""What an audit costs, as ratios of two things timed in one run. Not part of the tests."""
