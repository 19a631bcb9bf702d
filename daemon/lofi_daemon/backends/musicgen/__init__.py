"""MusicGen. So far its description only: the engine comes with a later version."""
