"""The state of one symbol under every kind of frame."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from liqheat._core.board import Applied, Board, Duplicate, Gap, HashMismatch
from liqheat._wire.levels import Level, Position

from .support import delta, hash_of, snapshot

if TYPE_CHECKING:
    from liqheat._wire.frames import Snapshot


def levels_of(board: Board) -> tuple[Level, ...]:
    assert board.state is not None
    return board.state.levels


def test_a_snapshot_and_its_deltas_lead_to_the_whole_state_sorted() -> None:
    board = Board("S")
    assert board.state is None
    assert isinstance(board.apply_snapshot(snapshot(1, [Level(200, 1, 0), Level(100, 2, 3)])), Applied)
    after = (Level(100, 2, 9), Level(150, 4, 0))
    change = [Level(200, 0, 0), Level(150, 4, 0), Level(100, 2, 9)]
    assert isinstance(board.apply_delta(delta(1, 2, change, hash_of(after))), Applied)
    assert levels_of(board) == after
    assert board.position == Position("e", 2)


def test_the_same_state_twice_is_a_duplicate_by_either_kind_of_frame() -> None:
    board = Board("S")
    state = snapshot(5, [Level(1, 1, 1)])
    board.apply_snapshot(state)
    assert board.apply_snapshot(state) == Duplicate()
    assert board.apply_delta(delta(4, 5, [], "0")) == Duplicate()


def test_a_delta_from_another_state_or_epoch_is_a_gap_and_changes_nothing() -> None:
    board = Board("S")
    assert board.apply_delta(delta(1, 2, [], "0")) == Gap(None, 1)
    board.apply_snapshot(snapshot(5, [Level(1, 1, 1)]))
    assert isinstance(board.apply_delta(delta(6, 7, [Level(1, 9, 9)], "0")), Gap)
    assert isinstance(board.apply_delta(delta(5, 6, [Level(1, 9, 9)], "0", epoch="other")), Gap)
    assert levels_of(board) == (Level(1, 1, 1),)


def test_a_delta_from_further_back_leads_on_and_one_that_leads_back_is_old() -> None:
    board = Board("S")
    board.apply_snapshot(snapshot(5, [Level(1, 1, 1)]))
    assert board.apply_delta(delta(3, 4, [Level(1, 9, 9)], "0")) == Duplicate()
    both = (Level(1, 1, 1), Level(2, 2, 2))
    assert isinstance(board.apply_delta(delta(3, 7, both, hash_of(both))), Applied)
    assert levels_of(board) == both


def test_a_wrong_hash_is_reported_and_nothing_can_be_built_on_that_state() -> None:
    board = Board("S")
    outcome = board.apply_snapshot(snapshot(5, [Level(1, 1, 1)], digest="f" * 16))
    assert isinstance(outcome, HashMismatch)
    assert outcome.report.seq == 5
    assert outcome.state.position is None
    assert board.position is None
    assert isinstance(board.apply_delta(delta(5, 6, [], "0")), Gap)
    assert isinstance(board.apply_snapshot(snapshot(6, [Level(1, 1, 1)])), Applied)


def test_states_without_versions_and_hashes_are_taken_as_they_come() -> None:
    board = Board("S")
    bare = snapshot(None, [Level(1, 1, 0)], epoch=None, digest=None)
    assert isinstance(board.apply_snapshot(bare), Applied)
    assert isinstance(board.apply_snapshot(bare), Applied)
    assert board.position is None


def test_random_deltas_keep_the_state_equal_to_a_dictionary_kept_beside_it() -> None:
    generator = random.Random(12_345)
    truth: dict[float, Level] = {}
    board = Board("S")
    board.apply_snapshot(snapshot(0, []))
    held: list[tuple[Snapshot, tuple[Level, ...]]] = []
    for seq in range(1, 501):
        change = {}
        for _ in range(generator.randrange(8)):
            price = generator.randrange(60) * 0.1
            is_gone = generator.random() < 0.3
            long_usd, short_usd = (0, 0) if is_gone else (generator.randrange(10**6), generator.randrange(10**6))
            change[price] = Level(price, long_usd, short_usd)
        for price, level in change.items():
            truth[price] = level
            if level[1:] == (0, 0):
                del truth[price]
        expected = tuple(truth[price] for price in sorted(truth))
        outcome = board.apply_delta(delta(seq - 1, seq, change.values(), hash_of(expected)))
        assert isinstance(outcome, Applied)
        assert outcome.state.levels == expected
        held.append((outcome.state, expected))
    # A state that was handed out does not change afterwards.
    assert all(state.levels == levels for state, levels in held)
