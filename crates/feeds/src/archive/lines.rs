//! [`CsvReader`] reads lines from a stream of bytes, in bounded memory.
//!
//! A compressed file may unfold into gigabytes without a line break. A line beyond [`LINE_BYTES_MAX`] is
//! skipped and reported, one beyond [`TEXT_BYTES_MAX`] means that this is no text.

use std::io::{self, ErrorKind, Read};

/// No row of the archive comes near.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024;
/// A "line" of this length is the content of something else.
pub(super) const TEXT_BYTES_MAX: u64 = 1024 * 1024;
const BUFFER_BYTES: usize = 128 * 1024;
const HEAD_BYTES: usize = 32 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CsvLine<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// It was too long; its first bytes.
    TooLong(&'a [u8]),
}

/// Why there are no more lines.
#[derive(Debug)]
pub(super) enum LineError {
    /// The source failed; the line it broke off in is dropped.
    Io(io::Error),
    /// No line break for [`TEXT_BYTES_MAX`] bytes.
    NotText,
}

/// Reads lines, counting them from 1.
pub(super) struct CsvReader<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    failed: Option<io::Error>,
    number: u64,
}

impl<R: Read> CsvReader<R> {
    pub(super) fn new(source: R) -> Self {
        let buffer = vec![0; BUFFER_BYTES];
        Self { source, buffer, start: 0, end: 0, at_end: false, failed: None, number: 0 }
    }

    /// The first bytes of what is still to come (at the start without byte order mark), without taking
    /// them. An error of the source stays for [`Self::next`] to report.
    pub(super) fn head(&mut self) -> &[u8] {
        while self.end - self.start < HEAD_BYTES && !self.at_end && self.failed.is_none() {
            self.refill();
        }
        if self.number == 0 && self.buffer[self.start..self.end].starts_with(BYTE_ORDER_MARK) {
            self.start += BYTE_ORDER_MARK.len();
        }
        let head_end = self.end.min(self.start + HEAD_BYTES);
        &self.buffer[self.start..head_end]
    }

    /// The number of the line handed out last.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end. The last line needs no line break.
    pub(super) fn next(&mut self) -> Result<Option<CsvLine<'_>>, LineError> {
        let mut searched = 0;
        let line_end = loop {
            let unsearched = &self.buffer[self.start + searched..self.end];
            if let Some(at) = memchr::memchr(b'\n', unsearched) {
                break self.start + searched + at;
            }
            searched = self.end - self.start;
            if searched > LINE_BYTES_MAX {
                return self.skip_long_line().map(Some);
            }
            if let Some(error) = self.failed.take() {
                (self.start, self.at_end) = (self.end, true);
                return Err(LineError::Io(error));
            }
            if self.at_end {
                if searched == 0 {
                    return Ok(None);
                }
                break self.end;
            }
            self.refill();
        };
        let line = self.start..line_end;
        self.start = self.end.min(line_end + 1);
        self.number += 1;
        if line.len() > LINE_BYTES_MAX {
            return Ok(Some(CsvLine::TooLong(&self.buffer[line.start..line.start + LINE_BYTES_MAX])));
        }
        let text = &self.buffer[line];
        Ok(Some(CsvLine::Text(text.strip_suffix(b"\r").unwrap_or(text))))
    }

    /// Drops the rest of a line whose beginning fills [`LINE_BYTES_MAX`]; its beginning is kept aside at the
    /// front of the buffer.
    fn skip_long_line(&mut self) -> Result<CsvLine<'_>, LineError> {
        self.buffer.copy_within(self.start..self.start + LINE_BYTES_MAX, 0);
        let mut skipped = (self.end - self.start) as u64;
        // What follows is read behind the part kept; nothing of it matters but the line break.
        loop {
            (self.start, self.end) = (LINE_BYTES_MAX, LINE_BYTES_MAX);
            if skipped > TEXT_BYTES_MAX {
                self.at_end = true;
                return Err(LineError::NotText);
            }
            if let Some(error) = self.failed.take() {
                self.at_end = true;
                return Err(LineError::Io(error));
            }
            if self.at_end {
                break;
            }
            self.refill();
            let found = memchr::memchr(b'\n', &self.buffer[self.start..self.end]);
            skipped += (self.end - self.start) as u64;
            if let Some(at) = found {
                self.start += at + 1;
                break;
            }
        }
        self.number += 1;
        Ok(CsvLine::TooLong(&self.buffer[..LINE_BYTES_MAX]))
    }

    /// Reads once, behind what is there; makes room first where there is little. While a long line is
    /// skipped the window is empty and starts behind the part kept, so nothing moves.
    fn refill(&mut self) {
        let room_is_short = self.buffer.len() - self.end < BUFFER_BYTES / 4;
        if room_is_short && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.source.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.at_end = true,
            // A source that claims more than the room it was given is broken; its number is not used.
            Ok(bytes) => self.end = self.buffer.len().min(self.end + bytes),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buffer.len()).min(self.0.len());
            buffer[..step].copy_from_slice(&self.0[..step]);
            self.0 = &self.0[step..];
            Ok(step)
        }
    }

    fn all(bytes: &[u8], step: usize) -> Vec<(usize, bool)> {
        let mut lines = CsvReader::new(Trickle(bytes, step));
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                CsvLine::Text(text) => (text.len(), false),
                CsvLine::TooLong(text) => (text.len(), true),
            });
        }
        found
    }

    #[test]
    fn lines_come_without_their_breaks() {
        let mut lines = CsvReader::new(&b"\xef\xbb\xbfone\r\ntwo\n\nlast"[..]);
        assert_eq!(lines.head(), b"one\r\ntwo\n\nlast");
        for expected in [&b"one"[..], b"two", b"", b"last"] {
            assert_eq!(lines.next().unwrap(), Some(CsvLine::Text(expected)));
        }
        assert_eq!(lines.number(), 4);
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn long_lines_are_skipped_and_the_rest_is_read() {
        for length in [LINE_BYTES_MAX + 1, 100_000, 300_000] {
            let text = [b"a\n".to_vec(), vec![b'x'; length], b"\nb\n".to_vec()].concat();
            for step in [1000, usize::MAX] {
                assert_eq!(
                    all(&text, step),
                    [(1, false), (LINE_BYTES_MAX, true), (1, false)],
                    "{length} {step}"
                );
            }
        }
        let endless = io::repeat(0);
        let mut lines = CsvReader::new(endless);
        assert!(matches!(lines.next(), Err(LineError::NotText)));
        assert!(matches!(lines.next(), Ok(None)));
    }

    #[test]
    fn a_line_broken_off_by_an_error_is_dropped() {
        struct FailingReader(bool);
        impl Read for FailingReader {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0 {
                    return Err(io::Error::other("gone"));
                }
                self.0 = true;
                buffer[..8].copy_from_slice(b"whole\nha");
                Ok(8)
            }
        }
        let mut lines = CsvReader::new(FailingReader(false));
        assert_eq!(lines.head(), b"whole\nha");
        assert_eq!(lines.next().unwrap(), Some(CsvLine::Text(b"whole")));
        assert!(matches!(lines.next(), Err(LineError::Io(_))));
        assert!(matches!(lines.next(), Ok(None)));
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_bytes_arrive(
            lengths in proptest::collection::vec(prop_oneof![0..80_usize, 3_000..20_000_usize], 0..30),
            step in 1..9_000_usize,
        ) {
            let text: Vec<u8> = lengths.iter().flat_map(|&n| [vec![b'x'; n], vec![b'\n']].concat()).collect();
            let expected: Vec<_> =
                lengths.iter().map(|&n| (n.min(LINE_BYTES_MAX), n > LINE_BYTES_MAX)).collect();
            prop_assert_eq!(all(&text, step), expected);
        }
    }
}
