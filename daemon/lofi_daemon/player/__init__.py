"""The player: a playlist to the sound card, from commands on the event loop.

``player`` is what the rest of the daemon talks to; ``events`` is what it hears back. Behind them, and imported
only on the first play: ``source`` (file → decoder thread → ring) feeds a ``voice``, voices meet in the
``mixer``, an ``output`` pulls from the mixer.
"""
