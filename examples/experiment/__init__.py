"""The experiment of the paper on synthetic data: trains cohorts with and without human salience, and compares them."""
