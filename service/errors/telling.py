"""What others' errors say, in a line."""


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def last_line(error: Exception) -> str:
    """The last line of an error's message, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
