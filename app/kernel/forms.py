"""Forms that a text in a body must have, and how they are told to whoever got one wrong."""

# In Python, $ alone would let a final line feed through.
DURATION = r"^[1-9][0-9]{0,6}(s|m|h|d|w)$(?!\n)"
LOCAL_TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"

FORMS = {
    DURATION: "a duration is a number and one of s, m, h, d (24 hours) and w, such as 36h",
    LOCAL_TIME: "a local time has hours and minutes, such as 08:30",
}
"""By pattern; of others it is said that the documentation gives them."""
