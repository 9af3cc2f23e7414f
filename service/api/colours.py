"""The perceptually uniform colormap of heat maps: inferno, by van der Walt and Smith (CC0). Pure Python."""

Colour = tuple[int, int, int]

MIN_OPACITY, MAX_OPACITY = 0.28, 0.8

_ANCHORS = """
000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a 962766 a32b61 af315c
bb3755 c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586
fcffa4
""".split()  # noqa: SIM905  # a table is read more easily so


def _table() -> tuple[Colour, ...]:
    """256 colours, from dark to bright, between anchors that stand at equal distances."""
    anchors = [tuple(bytes.fromhex(each)) for each in _ANCHORS]
    found = []
    for level in range(256):
        place = level * (len(anchors) - 1) / 255
        index = min(int(place), len(anchors) - 2)
        share = place - index
        low, high = anchors[index], anchors[index + 1]
        red, green, blue = (round(a + share * (b - a)) for a, b in zip(low, high, strict=True))
        found.append((red, green, blue))
    return tuple(found)


INFERNO = _table()


def to_level(value: float) -> int:
    """The level, 0 to 255, of a value in [0, 1]; what lies beyond is taken to the end."""
    return max(0, min(255, round(255 * value)))


def to_hex(value: float) -> str:
    """The colour of a value in [0, 1], as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*INFERNO[to_level(value)])


def opacity_of(value: float) -> float:
    """How much of a picture's pixel the colour of a value takes: little where it is low, so that the picture shows."""
    return MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * value
