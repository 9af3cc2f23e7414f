"""The version of the data that workers exchange through the database: shards, plans and stored values."""

# FORMAT is the version of shards, plans and stored values. A worker claims only shards of formats that it supports.
# Increment FORMAT with every change that workers of the previous version would process wrongly. Raise OLDEST_FORMAT if
# this version computes other values for older formats: open jobs of those formats then restart. With every increment,
# say in `results_format.py` what older results lack.
# Since format 3, scores of degenerate maps are missing values. Since format 4, rows have the probabilities of the
# classes, `chance` and `flipped`, and `probability_change` is that of the class predicted for the clean image.
FORMAT = 4
OLDEST_FORMAT = 4
