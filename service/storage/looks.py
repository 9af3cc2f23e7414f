"""When a job that may stop early is looked at: after how many of its images, in their seeded order. Pure.

The moments belong to the images and not to shards or workers, so that a job stops at the same one whoever does its
work. They come further apart as images add up, since each look reads all that there is.
"""

MIN_STEP = 32  # images between the first looks
STEPS_PER_DOUBLING = 16  # later ones are a sixteenth of what was seen apart


def next_interim_look(seen: int, total: int) -> int:
    """After how many of `total` images the next look is, the last having been after `seen`."""
    apart = max(1, seen // (STEPS_PER_DOUBLING * MIN_STEP)) * MIN_STEP
    return min(total, seen + apart)
