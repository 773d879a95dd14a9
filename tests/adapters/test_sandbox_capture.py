"""What is kept of a stream, and what a look at memory counts."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiagent_bridge.adapters.sandbox import memory
from multiagent_bridge.adapters.sandbox.capture import CHUNK, Capture, Reader


@given(st.integers(0, 9), st.integers(0, 9), st.lists(st.binary(max_size=12), max_size=12))
def test_the_two_ends_are_kept_however_a_stream_is_cut(head: int, tail: int, chunks: list[bytes]) -> None:
    capture = Capture(head, tail)
    for chunk in chunks:
        capture.feed(chunk)
    said = b"".join(chunks)
    found = capture.captured
    assert found.total == len(said)
    assert found.head == said[:head]
    rest = said[head:]
    assert found.tail == (rest[-tail:] if tail else b"")
    assert found.truncated == (len(rest) > tail)
    if not found.truncated:
        assert found.head + found.tail == said


def test_no_more_than_the_ends_and_a_chunk_is_held() -> None:
    capture = Capture(100, 200)
    for _ in range(50):
        capture.feed(b"x" * CHUNK)
        assert sys.getsizeof(capture._head) + sys.getsizeof(capture._tail) < 300 + 2 * CHUNK


@pytest.mark.anyio
async def test_a_reader_stops_when_it_is_told_to_and_takes_a_bounded_rest() -> None:
    read, write = os.pipe()
    capture = Capture(10, 10)
    reader = Reader(read, capture, lambda: False)
    os.write(write, b"x" * 1000)
    assert not reader._read()
    os.write(write, b"y" * 1000)
    reader.close(1 << 20)
    assert capture.total == 1000
    os.close(write)

    read, write = os.pipe()
    os.set_blocking(write, False)
    capture = Capture(10, 10)
    reader = Reader(read, capture, lambda: bool(os.write(write, b"z" * 100)))
    os.write(write, b"x" * 100)
    reader.close(5000)
    assert capture.total == 5000
    os.close(write)


def test_memory_of_a_tree_is_counted_with_all_its_children_and_shared_pages_once() -> None:
    script = (
        "import os, sys\ntaken = b'x' * (40 << 20)\nif os.fork() == 0 and os.fork() == 0:\n    pass\n"
        "sys.stdout.write('up\\n')\nsys.stdout.flush()\nsys.stdin.read()"
    )
    # a pipe of its own for each word, so that all are known to be there
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        for _ in range(3):
            assert program.stdout.readline() == b"up\n"
        assert len(memory.tree(program.pid)) == 3
        simple = memory.held(program.pid, 1 << 40)
        precise = memory.held(program.pid, 0)
        assert simple > 120 << 20
        assert 40 << 20 < precise < 100 << 20
    assert memory.held(program.pid, 0) == 0


def test_only_a_file_system_of_the_right_size_is_counted() -> None:
    found = os.statvfs("/")
    size = found.f_blocks * found.f_frsize
    used = size - found.f_bfree * found.f_frsize
    counted = memory.stored(os.getpid(), (("/", size), ("/", size + 1), ("/nowhere", 5)))
    assert abs(counted - used) < used / 2
    assert memory.stored(os.getpid(), (("/", 4096),)) == 0
    assert memory.stored(2**22 + 1, (("/", size),)) == 0


def test_looking_at_a_big_tree_is_cheap() -> None:
    """It happens ten times a second in the loop that serves everybody."""
    mapped = mmap.mmap(-1, 64 << 20)
    for place in range(0, len(mapped), 4096):
        mapped[place] = 1
    begun = time.process_time()
    for _ in range(20):
        memory.held(os.getpid(), 1 << 40)
    assert (time.process_time() - begun) / 20 < 0.005
    mapped.close()
