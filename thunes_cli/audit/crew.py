"""Summing up chunks on more than one processor: children of this process that read ranges of the same file."""

from __future__ import annotations

import gc
import os
import select
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice

import msgspec

from thunes_cli.audit.chunks import Level, Summary, summarize
from thunes_cli.audit.ranges import Range

WORTH_BYTES = 16 * 1024 * 1024  # below, a child costs more than it saves
_MOST = 3
_AHEAD = 24  # ranges within reach for each child
_ORDERS = 8  # that wait for one child, so that it never waits for us
_PATIENCE_S = 0.002  # with a child that was given what is needed next; on a busy machine doing it here is quicker
_ORDER = struct.Struct("<QIB")
_LENGTH = struct.Struct("<I")
_DECODER = msgspec.msgpack.Decoder(Summary | None)
_ENCODER = msgspec.msgpack.Encoder()


class Hand:
    """One child. Orders wait in a pipe and are answered in their order, one summary each."""

    def __init__(self, descriptor: int) -> None:
        with ExitStack() as undo:
            order_out, self._order = _pipe(undo)
            self.answers, answer_in = _pipe(undo)
            self._pid = os.fork()
            if self._pid == 0:
                _serve(descriptor, order_out, answer_in, not_ours=(self._order, self.answers))
            undo.pop_all()
        os.close(order_out)
        os.close(answer_in)
        self.asked: deque[_Slot] = deque()
        self.gone = False

    def ask(self, slot: _Slot) -> None:
        """Have a range summed up."""
        item = slot.range
        try:
            os.write(self._order, _ORDER.pack(item.start, item.end - item.start, item.level))
        except BrokenPipeError:
            self._give_back()
            return
        slot.taken = True
        self.asked.append(slot)

    def answer(self) -> None:
        """Take the next answer; of a child that was killed within it there is none."""
        head = _read(self.answers, _LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        body = _read(self.answers, length)
        if not length or len(body) < length:
            self._give_back()
            return
        slot = self.asked.popleft()
        slot.summary = _DECODER.decode(body)
        slot.done = True

    def _give_back(self) -> None:
        """The child is gone; somebody else has to do what it was asked."""
        self.gone = True
        for slot in self.asked:
            slot.taken = False
        self.asked.clear()

    def dismiss(self) -> None:
        """End the child."""
        os.close(self._order)
        os.close(self.answers)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _pipe(undo: ExitStack) -> tuple[int, int]:
    """Its ends; both are closed when what comes next fails."""
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


@dataclass(slots=True)
class _Slot:
    range: Range
    taken: bool = False
    done: bool = False
    summary: Summary | None = None


def summaries(
    descriptor: int, next_range: Callable[[], Range | None], hands: list[Hand]
) -> Iterator[tuple[Range, Summary | None]]:
    """Each range with its summary, in order; this process and its children work on those within reach."""
    slots: deque[_Slot] = deque()
    while True:
        while len(slots) <= _AHEAD * len(hands) and (item := next_range()) is not None:
            slots.append(_Slot(item))
        if not slots:
            return
        while not slots[0].done:
            _collect(hands, timeout_s=0)
            _hand_out(slots, hands)
            _work(descriptor, slots, hands)
        done = slots.popleft()
        yield done.range, done.summary


def _collect(hands: list[Hand], *, timeout_s: float) -> bool:
    """Take every answer that is there; wait for the first one so long. Whether there was one."""
    some = False
    while waiting := [hand.answers for hand in hands if hand.asked]:
        ready = select.select(waiting, [], [], 0 if some else timeout_s)[0]
        if not ready:
            break
        for hand in hands:
            if hand.answers in ready:
                hand.answer()
        some = True
    return some


def _hand_out(slots: deque[_Slot], hands: list[Hand]) -> None:
    """Keep every child busy."""
    for hand in hands:
        for slot in islice(slots, 1, None):
            if hand.gone or len(hand.asked) >= _ORDERS:
                break
            if not slot.taken:
                hand.ask(slot)


def _work(descriptor: int, slots: deque[_Slot], hands: list[Hand]) -> None:
    """Do the first range that nobody has; with none left, wait a little for the first one, then do it all the same."""
    free = next((slot for slot in slots if not slot.taken), None)
    if free is None:
        if slots[0].done or _collect(hands, timeout_s=_PATIENCE_S):
            return
        free = slots[0]
    free.taken = True
    item = free.range
    free.summary = summarize(os.pread(descriptor, item.end - item.start, item.start), item.level)
    free.done = True


def _serve(descriptor: int, orders: int, answers: int, *, not_ours: tuple[int, int]) -> None:
    """A child's life; it never returns."""
    try:
        for other in not_ours:
            os.close(other)
        gc.disable()
        while len(order := _read(orders, _ORDER.size)) == _ORDER.size:
            start, length, level = _ORDER.unpack(order)
            body = _ENCODER.encode(summarize(os.pread(descriptor, length, start), Level(level)))
            _write(answers, _LENGTH.pack(len(body)) + body)
    finally:
        os._exit(0)


def _read(descriptor: int, count: int) -> bytes:
    parts = b""
    while len(parts) < count and (part := os.read(descriptor, count - len(parts))):
        parts += part
    return parts


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def crew(descriptor: int, *, size: int) -> Iterator[list[Hand]]:
    """As many children as are worth it for a file of so many bytes; none where forking is not safe or of no use."""
    hands: list[Hand] = []
    alone = threading.active_count() > 1 or not sys.platform.startswith("linux")
    count = 0 if alone or size < WORTH_BYTES else min(_MOST, len(os.sched_getaffinity(0))) - 1
    try:
        for _ in range(count):
            try:
                hands.append(Hand(descriptor))
            except OSError:
                break
        yield hands
    finally:
        for hand in hands:
            hand.dismiss()
