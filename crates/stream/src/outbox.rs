//! What is on its way to one client: the frame being written and a few small replies, nothing more.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};

/// Frames in order, each with what is to be noted when it is out; the first may be partly written and is then
/// never dropped.
#[derive(Debug)]
pub(crate) struct Outbox<N> {
    frames: VecDeque<(Bytes, N)>,
    bytes: usize,
}

impl<N> Default for Outbox<N> {
    fn default() -> Self {
        Self { frames: VecDeque::new(), bytes: 0 }
    }
}

/// What a flush wrote to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlushResult {
    /// Bytes taken by the socket.
    pub(crate) bytes: usize,
    /// Frames completely taken.
    pub(crate) frames: u64,
}

impl<N> Outbox<N> {
    /// Replies and states beyond this are not made until the client has read: reading from it stops.
    const BYTES_MAX: usize = 64 * 1_024;

    pub(crate) fn push(&mut self, frame: Bytes, note: N) {
        self.bytes += frame.len();
        self.frames.push_back((frame, note));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether no more of the client's messages should be read, because answers pile up.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > Self::BYTES_MAX && self.frames.len() > 1
    }

    /// Writes until everything is gone or the socket takes no more; `out` gets the note of each frame that is
    /// completely taken.
    pub(crate) fn flush(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        mut out: impl FnMut(N),
    ) -> io::Result<FlushResult> {
        let mut result = FlushResult { bytes: 0, frames: 0 };
        while let Some((frame, _)) = self.frames.front_mut() {
            match write(frame) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    frame.advance(taken);
                    self.bytes -= taken;
                    result.bytes += taken;
                    if frame.is_empty() {
                        result.frames += 1;
                        self.frames.pop_front().into_iter().for_each(|(_, note)| out(note));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.frames.is_empty() {
            // An idle client should hold no memory for what it was sent once.
            self.frames = VecDeque::new();
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_goes_out_once_and_in_order(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..20), takes in prop::collection::vec(0usize..30, 1..200)) {
            let mut outbox = Outbox::default();
            for (number, frame) in frames.iter().enumerate() {
                outbox.push(Bytes::from(frame.clone()), number);
            }
            let (mut written, mut notes) = (Vec::new(), Vec::new());
            let mut takes = takes.into_iter().chain(std::iter::repeat(1_000));
            let mut total = FlushResult { bytes: 0, frames: 0 };
            while !outbox.is_empty() {
                let result = outbox.flush(|bytes| match takes.next().unwrap_or(1) {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    most => {
                        let taken = bytes.len().min(most);
                        written.extend_from_slice(&bytes[..taken]);
                        Ok(taken)
                    }
                }, |note| notes.push(note)).unwrap();
                total = FlushResult { bytes: total.bytes + result.bytes, frames: total.frames + result.frames };
            }
            prop_assert_eq!(&written, &frames.concat());
            prop_assert_eq!(total, FlushResult { bytes: written.len(), frames: frames.len() as u64 });
            prop_assert_eq!(outbox.bytes, 0);
            prop_assert_eq!(notes, (0..frames.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_closed_socket_is_an_error() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"x"), ());
        assert!(outbox.flush(|_| Ok(0), |()| {}).is_err());
        assert!(outbox.flush(|_| Err(io::ErrorKind::BrokenPipe.into()), |()| {}).is_err());
    }
}
