import numpy as np
from support.sound import noise

from lofi_daemon.player.ring import Ring


def test_frames_come_out_in_order_however_reads_and_writes_are_cut():
    frames = noise(0.2)
    ring = Ring(700)
    generator = np.random.default_rng(1)
    got, written = [], 0
    while sum(map(len, got)) < len(frames):
        written += ring.write(frames[written : written + int(generator.integers(1, 500))])
        got.append(ring.read(int(generator.integers(1, 500))))
    np.testing.assert_array_equal(np.concatenate(got), frames)


def test_it_takes_no_more_than_its_capacity():
    ring = Ring(100)
    assert ring.write(noise(0.1)) == 100
    assert (ring.available, ring.free) == (100, 0)
    assert ring.write(noise(0.1)) == 0


def test_reading_more_than_there_is_gives_what_there_is():
    ring = Ring(100)
    ring.write(noise(0.1)[:30])
    assert len(ring.read(80)) == 30
    assert len(ring.read(80)) == 0
