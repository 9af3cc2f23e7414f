"""Papers that several measures come from."""

CRUM = "Crum et al. 2023, arXiv 2303.11969"
