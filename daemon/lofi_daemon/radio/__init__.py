"""The radio: music without an end."""
