//! Messages between servers: any bytes are refused or read, what is read can be written again, and a board takes it whole or
//! not at all.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liqheat_cluster::Message;
use liqheat_stream::Board;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = Message::decode(bytes) else { return };
    let again = read.encode().expect("what was read is not too large");
    assert_eq!(Message::decode(&again).as_ref(), Ok(&read));
    let Ok(mut board) = Board::from_remote(&read.state) else { return };
    assert_eq!((board.seq(), board.hash()), (read.state.seq, read.state.hash));
    assert_eq!(board.take(&read.state), Ok(false));
    let whole = board.whole();
    assert_eq!(Board::from_remote(&whole).map(|copy| copy.hash()), Ok(board.hash()));
});
