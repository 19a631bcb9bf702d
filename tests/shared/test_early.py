"""What a bridge reads early is what config.load says."""

import os
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.shared import early


@pytest.mark.parametrize("setup", [[], ["daemon.shared=false"], ["daemon.shared = TRUE"], ["daemon.shared=maybe"]])
@pytest.mark.parametrize("environment", ["", "0", "true", "nonsense"])
@pytest.mark.parametrize("text", ["", "[daemon]\nshared = false", 'daemon = "x"', "[daemon]\nshared = 'True'", "["])
def test_whether_it_is_shared(tmp_path, setup, environment, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    environ = {"LOFI_DAEMON_SHARED": environment}
    assert early.read(setup, environ, file).shared is config.load(setup, environ, file).settings.daemon.shared


@pytest.mark.parametrize("setup", [[], ["cache.dir=/a/b"], ["cache.dir=~/x"], ["cache.dir="], ["cache.dir=relative/x"]])
@pytest.mark.parametrize("environment", ["", "/from/environment/", "~/e"])
@pytest.mark.parametrize("text", ["", "[cache]\ndir = '/from/file'", "[cache]\ndir = 3", "'cache.dir' = '/flat'"])
def test_two_settings_that_mean_one_library_name_one_and_others_name_others(tmp_path, setup, environment, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    environ = dict(os.environ) | {"LOFI_CACHE_PATH": environment}
    root = config.load(setup, environ, file).settings.cache_root
    library = early.read(setup, environ, file).library
    default = config.load((), {}, Path("/nowhere")).settings.cache_root
    assert library == (early.read((), os.environ, "/nowhere").library if root == default else str(root))


def test_another_home_has_another_default_library():
    here = {"HOME": "/home/a"}
    assert early.read((), here).library != early.read((), {"HOME": "/home/b"}).library
    assert early.read((), here).library != early.read((), here | {"XDG_CACHE_HOME": "/x"}).library


@pytest.mark.parametrize("folder", [None, "/somewhere/else", " "])
def test_the_file_is_the_one_that_config_reads(monkeypatch, folder):
    if folder is None:
        monkeypatch.delenv("XDG_CONFIG_HOME")
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    assert early.config_file(os.environ) == str(config.config_file())
