import sys
import types

import pytest

from lofi_daemon import limits
from lofi_daemon.errors import LofiError
from lofi_daemon.model import StageParams

STAGES = (StageParams(backend="synth", prompt="x", duration_sec=30, seed=1),)


def test_without_a_hook_everything_is_allowed():
    limits.ask(limits.load(""), STAGES)


def refusal(hook):
    with pytest.raises(LofiError) as caught:
        limits.ask(hook, STAGES)
    assert caught.value.name == "QUOTA_EXCEEDED"
    return caught.value.message


@pytest.mark.parametrize("name", ["no_such_module:hook", "json:no_such_name", "json"])
def test_a_hook_that_cannot_be_loaded_refuses_everything(name):
    assert name in refusal(limits.load(name))


def test_a_hook_sees_the_stages_and_its_words_reach_the_user(monkeypatch):
    module = types.ModuleType("house_rules")
    seen = []

    def hook(stages):
        seen.append(stages)
        raise ValueError("five tracks a day")

    module.hook = hook
    monkeypatch.setitem(sys.modules, "house_rules", module)
    assert "five tracks a day" in refusal(limits.load("house_rules:hook"))
    assert seen == [STAGES]
