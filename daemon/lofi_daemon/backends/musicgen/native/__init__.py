"""The decoder's step in C: compiled on the user's machine when first used, for that machine's processor."""
