"""The built-in composer: real lofi from numpy and scipy, no weights, no torch.

prompt → ``intent`` (what the words ask for) → ``composer`` (a ``score.Score``: notes, form, mix) →
``render`` (instruments, effects, mix, master) → audio. ``engine`` is the worker's door to it.
"""
