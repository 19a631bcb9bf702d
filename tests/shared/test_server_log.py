"""The server's log holds what was printed last and never grows large."""

from __future__ import annotations

import subprocess
import sys

from lofi_daemon.shared import server_log


def run(code):
    subprocess.run([sys.executable, "-c", "from lofi_daemon.shared.server_log import *\n" + code], check=True)


def test_what_it_and_its_children_print_goes_to_the_file(tmp_path):
    path = tmp_path / "deep" / "daemon.log"
    run(f"import os; claim_output(Path({str(path)!r})); os.system('echo child >&2'); print('server', flush=True)")
    assert path.read_text() == "child\nserver\n"
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_place_to_write_it_goes_on(tmp_path):
    (tmp_path / "file").touch()
    run(f"claim_output(Path({str(tmp_path / 'file' / 'daemon.log')!r})); print('nothing')")


def test_it_begins_anew_when_it_has_grown_large_and_the_end_of_the_old_one_is_kept(tmp_path):
    path = tmp_path / "daemon.log"
    run(f"""
path = Path({str(path)!r})
claim_output(path)
log = logging.Logger('x')
log.addHandler(Trimming(path))
for number in range(30_000):
    log.warning('line %d of a chatty daemon, which would fill the disk in the long run', number)
""")
    assert path.stat().st_size <= server_log.MAX_BYTES
    old = path.with_suffix(".old")
    assert old.stat().st_size <= server_log.MAX_BYTES
    lines = (old.read_text() + path.read_text()).splitlines()
    assert lines[-1].startswith("line 29999 ")
