import errno
import os
import stat
import subprocess
import sys
import textwrap

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.library import durable


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_seen_only_when_it_is_whole(folder):
    target = folder / "a"
    with durable.new_file(target) as file:
        file.write(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert names(folder) == ["a"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_failure_leaves_the_old_file_and_no_temporary_one(folder):
    target = folder / "a"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), durable.new_file(target) as file:
        file.write(b"new")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert names(folder) == ["a"]


@pytest.mark.parametrize("there", ["file", "dangling link", "made meanwhile"])
def test_without_overwrite_what_is_there_stays(folder, there):
    target = folder / "a"
    if there == "file":
        target.write_bytes(b"old")
    if there == "dangling link":
        target.symlink_to(folder / "nowhere")
    with pytest.raises(FileExistsError), durable.new_file(target, overwrite=False) as file:
        file.write(b"new")
        if there == "made meanwhile":
            target.write_bytes(b"old")
    assert names(folder) == ["a"]
    if there != "dangling link":
        assert target.read_bytes() == b"old"


def test_without_overwrite_on_a_disk_that_has_no_hard_links(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with durable.new_file(folder / "a", overwrite=False) as file:
        file.write(b"new")
    assert (folder / "a").read_bytes() == b"new"
    with pytest.raises(FileExistsError), durable.new_file(folder / "a", overwrite=False) as file:
        file.write(b"newer")
    assert (folder / "a").read_bytes() == b"new"
    assert names(folder) == ["a"]


def test_a_move_replaces_the_target(folder):
    (folder / "a").write_bytes(b"new")
    (folder / "b").write_bytes(b"old")
    durable.move_into(folder / "a", folder / "b")
    assert names(folder) == ["b"]
    assert (folder / "b").read_bytes() == b"new"


def test_a_move_across_disks_is_a_copy(folder, monkeypatch):
    source, target = folder / "from" / "a", folder / "to" / "a"
    source.parent.mkdir()
    target.parent.mkdir()
    source.write_bytes(b"x" * 3_000_000)
    rename = os.replace

    def across(old, new, **more):
        if os.path.dirname(old) != os.path.dirname(new):  # noqa: PTH120
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(old, new, **more)

    monkeypatch.setattr(os, "replace", across)
    durable.move_into(source, target)
    assert target.read_bytes() == b"x" * 3_000_000
    assert names(source.parent) == []
    assert names(target.parent) == ["a"]


def test_a_copy_across_disks_that_fails_leaves_the_old_file(folder, monkeypatch):
    source, target = folder / "from", folder / "to"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    flushes = []

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def full(descriptor):
        flushes.append(descriptor)
        if len(flushes) == 2:  # the first is of the source
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(durable, "_flush", full)
    with pytest.raises(LofiError, match="disk is full"):
        durable.move_into(source, target)
    assert target.read_bytes() == b"old"
    assert names(folder) == ["from", "to"]


def test_folders_are_made_private(folder):
    durable.make_folder(folder / "a" / "b")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder / "a", folder / "a" / "b")] == [0o700, 0o700]


@pytest.mark.parametrize("inner", ["", "b/c"])
def test_a_file_in_the_way_of_a_folder_is_named(folder, inner):
    (folder / "a").write_bytes(b"")
    with pytest.raises(LofiError) as caught:
        durable.make_folder(folder / "a" / inner)
    assert caught.value.name == "CACHE_WRITE_ERROR"
    assert str(folder / "a") in caught.value.message
    assert "a file is where a folder is needed" in caught.value.message


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "EFBIG"])
def test_each_refusal_of_the_disk_says_where_and_what_to_do(folder, number):
    code = getattr(errno, number)
    with pytest.raises(LofiError) as caught, durable.named_errors(folder / "a"):
        raise OSError(code, os.strerror(code))
    assert caught.value.name == "CACHE_WRITE_ERROR"
    assert caught.value.details == {"path": str(folder / "a"), "reason": number}
    assert str(folder / "a") in caught.value.message
    assert caught.value.message.count(": ") >= 1
    assert "Errno" not in caught.value.message


def test_a_real_limit_of_the_system_is_named_and_leaves_nothing(folder):
    script = """
        import resource, sys
        from pathlib import Path
        from lofi_daemon.library import durable
        from lofi_daemon.errors import LofiError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with durable.named_errors(Path(sys.argv[1])), durable.new_file(Path(sys.argv[1])) as file:
                file.write(b"x" * 5000)
        except LofiError as error:
            print(error.name, error.details["reason"])
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder / "a")], capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == ["CACHE_WRITE_ERROR", "EFBIG"]
    assert names(folder) == []
