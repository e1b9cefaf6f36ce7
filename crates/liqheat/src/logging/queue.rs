//! A bounded queue of log lines and the thread that writes them.
//!
//! [`LineQueue::push`] never waits: a line that does not fit is dropped and counted, and so is one that cannot be
//! written. The crate `tracing-appender` does the same, but its guard reports a writer that stands still with
//! `eprintln!`, which is the very call that must not be made then.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the thread that writes the log, and waits for it with a deadline"
)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Most lines waiting.
const LINES_MAX: usize = 8_192;
/// Most bytes waiting.
const BYTES_MAX: usize = 4 << 20;
/// Between two tries when a non-blocking standard error is full.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Lines waiting to be written; clones share them.
#[derive(Debug, Clone)]
pub(super) struct LineQueue {
    shared: Arc<QueueState>,
}

#[derive(Debug)]
struct QueueState {
    waiting: Mutex<WaitingLines>,
    /// Lines were added, or all were written.
    changed: Condvar,
    dropped: &'static AtomicU64,
}

#[derive(Debug, Default)]
struct WaitingLines {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// Whether the writer holds a line that is not written yet.
    is_writing: bool,
}

impl WaitingLines {
    /// Whether the line was taken.
    fn push(&mut self, line: &[u8]) -> bool {
        let fits = self.lines.len() < LINES_MAX && self.bytes + line.len() <= BYTES_MAX;
        if fits {
            self.bytes += line.len();
            self.lines.push_back(line.into());
        }
        fits
    }

    fn pop(&mut self) -> Option<Box<[u8]>> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.len();
        Some(line)
    }
}

impl LineQueue {
    /// An empty queue that counts dropped lines here.
    pub(super) fn new(dropped: &'static AtomicU64) -> Self {
        let shared = QueueState { waiting: Mutex::default(), changed: Condvar::new(), dropped };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a line, or counts it as dropped.
    pub(super) fn push(&self, line: &[u8]) {
        if self.lock().push(line) {
            self.shared.changed.notify_all();
        } else {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until every line is written; `false` when that takes longer than this.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut waiting = self.lock();
        while waiting.is_writing || !waiting.lines.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let woken = self.shared.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Starts the thread that writes. `report` is called with the number of lines dropped since the last report, after
    /// a line could be written again.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn spawn_writer(
        &self,
        out: impl Write + Send + 'static,
        report: impl Fn(u64) + Send + 'static,
    ) -> io::Result<()> {
        let queue = self.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || queue.write_all(LineWriter::new(out), report))?;
        Ok(())
    }

    fn write_all(&self, mut out: LineWriter<impl Write>, report: impl Fn(u64)) {
        let mut reported = 0;
        loop {
            let line = self.next();
            if out.write_line(&line).is_err() {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let dropped = self.shared.dropped.load(Ordering::Relaxed);
            if dropped > reported {
                report(dropped - reported);
                reported = dropped;
            }
        }
    }

    /// The next line, as soon as there is one.
    fn next(&self) -> Box<[u8]> {
        let mut waiting = self.lock();
        waiting.is_writing = false;
        loop {
            if let Some(line) = waiting.pop() {
                waiting.is_writing = true;
                return line;
            }
            self.shared.changed.notify_all();
            waiting = self.shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        // Nothing that is done under the lock panics half-way.
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes whole lines, even after one that was cut off by an error.
struct LineWriter<W> {
    out: W,
    /// Whether the last line was cut off.
    is_torn: bool,
}

impl<W: Write> LineWriter<W> {
    const fn new(out: W) -> Self {
        Self { out, is_torn: false }
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write(b"\n")?;
        }
        self.is_torn = false;
        self.write(line)
    }

    fn write(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let whole = rest.len();
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody who shares the terminal or pipe made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
                Err(error) => {
                    self.is_torn |= rest.len() < whole;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn queue() -> LineQueue {
        LineQueue::new(Box::leak(Box::default()))
    }

    fn dropped(queue: &LineQueue) -> u64 {
        queue.shared.dropped.load(Ordering::Relaxed)
    }

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes what is written only when the test says so.
    struct Gate {
        open: Receiver<io::Result<usize>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without a test there is nobody to write for.
            let outcome = self.open.recv().unwrap_or(Ok(usize::MAX)).map(|most| most.min(bytes.len()));
            if let Ok(written) = outcome {
                let _ = self.written.send(bytes[..written].to_vec());
            }
            outcome
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (Gate, Sender<io::Result<usize>>, Receiver<Vec<u8>>) {
        let ((open, opens), (written, writes)) = (channel(), channel());
        (Gate { open: opens, written }, open, writes)
    }

    #[test]
    fn the_queue_is_bounded_in_lines_and_in_bytes() {
        let lines = queue();
        for _ in 0..LINES_MAX + 7 {
            lines.push(b"x\n");
        }
        assert_eq!((lines.lock().lines.len(), dropped(&lines)), (LINES_MAX, 7));
        let bytes = queue();
        for _ in 0..5 {
            bytes.push(&vec![b'x'; BYTES_MAX / 4]);
        }
        bytes.push(b"");
        assert_eq!((bytes.lock().bytes, dropped(&bytes)), (BYTES_MAX, 1));
        assert!(!bytes.flush(Duration::ZERO), "nobody writes");
    }

    #[test]
    fn a_writer_that_stands_still_costs_lines_and_says_so_afterwards() {
        let queue = queue();
        let (gate, open, written) = gate();
        let (reports, reported) = channel();
        queue.spawn_writer(gate, move |count| reports.send(count).unwrap()).unwrap();
        for _ in 0..LINES_MAX + 10 {
            queue.push(b"line\n");
        }
        let lost = dropped(&queue);
        assert!((9..=10).contains(&lost), "the writer holds at most one line: {lost}");
        assert!(!queue.flush(Duration::ZERO));
        drop(open);
        assert_eq!(reported.recv_timeout(PATIENCE).unwrap(), lost);
        assert!(queue.flush(PATIENCE));
        assert_eq!(written.try_iter().count() as u64, LINES_MAX as u64 + 10 - lost);
    }

    #[test]
    fn lines_that_cannot_be_written_are_dropped_and_the_next_one_begins_a_line() {
        let queue = queue();
        let (gate, open, written) = gate();
        let (reports, reported) = channel();
        queue.spawn_writer(gate, move |count| reports.send(count).unwrap()).unwrap();
        for outcome in [
            Ok(3),
            Err(ErrorKind::StorageFull.into()),
            Err(ErrorKind::Interrupted.into()),
            Err(ErrorKind::BrokenPipe.into()),
            Err(ErrorKind::WouldBlock.into()),
        ] {
            open.send(outcome).unwrap();
        }
        drop(open);
        for line in ["first\n", "second\n", "third\n"] {
            queue.push(line.as_bytes());
        }
        assert!(queue.flush(PATIENCE));
        let text: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(String::from_utf8_lossy(&text), "fir\nthird\n");
        assert_eq!((dropped(&queue), reported.try_recv()), (2, Ok(2)));
    }
}
