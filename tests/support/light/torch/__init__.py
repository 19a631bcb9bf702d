"""Stands in for torch where a child only asks whether it loads and sees a GPU: the real one takes seconds to say."""

from types import SimpleNamespace

cuda = SimpleNamespace(is_available=lambda: False)
backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False))
