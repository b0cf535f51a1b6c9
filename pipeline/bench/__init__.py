"""``lumabraid bench``: how fast this machine fuses, beside what a user could run instead."""
