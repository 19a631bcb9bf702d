"""MusicGen: ``info.py`` for the front; all else needs torch and runs in the worker. ``engine.py`` is the door."""
