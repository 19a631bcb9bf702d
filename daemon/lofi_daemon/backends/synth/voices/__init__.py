"""The instruments: pitch and velocity in, a note's samples out. ``bank`` keeps those already made."""
