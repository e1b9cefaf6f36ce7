//! The built program as a child process: what it prints is kept, its end can be waited for, and it never
//! outlives the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::{Answer, PATIENCE, Viewer, get};

/// How to start it.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Of the shell, before the program takes its place.
    before: Option<String>,
}

impl Program {
    /// The program at a path, without arguments and settings.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            arguments: Vec::new(),
            environment: Vec::new(),
            before: None,
        }
    }

    /// More arguments, separated by white space; for those that may contain some, see [`Program::arg`].
    #[must_use]
    pub fn args(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(str::to_owned));
        self
    }

    /// One more argument, as it is.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<Path>) -> Self {
        self.arguments.push(argument.as_ref().to_string_lossy().into_owned());
        self
    }

    /// One more variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shell commands that run in its process before it, such as `ulimit`.
    #[must_use]
    pub fn after(mut self, shell: &str) -> Self {
        self.before = Some(shell.to_owned());
        self
    }

    fn command(&self) -> Command {
        let mut command = match &self.before {
            None => Command::new(&self.path),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\"")).arg(&self.path);
                shell
            }
        };
        // Settings of whoever runs the tests are none of ours.
        let ours =
            |name: &str| ["LIQHEAT_", "WS_", "REDIS_", "OTEL_"].iter().any(|start| name.starts_with(start));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end in time.
    #[must_use]
    #[track_caller]
    pub fn run(&self) -> ProgramOutput {
        self.start().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(&self) -> RunningProgram {
        let mut child = self.command().spawn().unwrap();
        let out = OutputStream::follow(child.stdout.take().unwrap());
        let err = OutputStream::follow(child.stderr.take().unwrap());
        RunningProgram { child, out, err, address: None }
    }

    /// Starts it and waits until it prints its address.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    #[track_caller]
    pub fn serve(&self) -> RunningProgram {
        let mut running = self.start();
        let line = running.out.wait_for("liqheat: http://").unwrap_or_else(|| {
            panic!("no address printed; it printed:\n{}{}", running.out.text(), running.err.text())
        });
        let address = line.trim().trim_start_matches("liqheat: http://").trim_end_matches('/');
        running.address = Some(address.parse().unwrap());
        running
    }
}

/// Exit code and output of a program.
#[derive(Debug, Clone)]
pub struct ProgramOutput {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error: the log.
    pub err: String,
}

/// A program that runs; dropped, it is killed.
#[derive(Debug)]
pub struct RunningProgram {
    child: Child,
    out: OutputStream,
    err: OutputStream,
    address: Option<SocketAddr>,
}

impl RunningProgram {
    /// Where it listens.
    ///
    /// # Panics
    /// When it was not started with [`Program::serve`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    /// Everything on standard error until now.
    #[must_use]
    pub fn log(&self) -> String {
        self.err.text()
    }

    /// Waits for a line of the log that contains a text.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        self.err.wait_for(text).unwrap_or_else(|| panic!("no '{text}' in the log:\n{}", self.log()))
    }

    /// Waits for a line on standard output that contains a text.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) -> String {
        self.out
            .wait_for(text)
            .unwrap_or_else(|| panic!("no '{text}' in what it printed:\n{}{}", self.out.text(), self.log()))
    }

    /// HTTP GET.
    ///
    /// # Panics
    /// When there is no whole answer.
    #[must_use]
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        get(self.address(), path)
    }

    /// A WebSocket to `/ws/heatmap`.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    #[track_caller]
    pub fn viewer(&self) -> Viewer {
        Viewer::connect(self.address(), &[])
            .unwrap_or_else(|answer| panic!("refused: {} {}", answer.status, answer.text()))
    }

    /// A WebSocket that follows a symbol, and the first snapshot that it got.
    ///
    /// # Panics
    /// When it is refused, or no snapshot comes.
    #[must_use]
    #[track_caller]
    pub fn viewer_of(&self, symbol: &str) -> (Viewer, Value) {
        let mut viewer = self.viewer();
        viewer.subscribe(symbol);
        let snapshot = viewer.hear_until(|message| message["type"] == "snapshot");
        (viewer, snapshot)
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Panics
    /// When it cannot be sent.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").arg("-s").arg(name).arg(self.child.id().to_string()).status();
        assert!(kill.unwrap().success(), "signal {name}");
    }

    /// Ends it at once, as kill -9 does.
    ///
    /// # Panics
    /// When it had ended by itself.
    #[track_caller]
    pub fn kill(mut self) -> ProgramOutput {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself:\n{}", self.log());
        self.child.kill().unwrap();
        self.wait()
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not stop in time.
    #[track_caller]
    pub fn terminate(self) -> ProgramOutput {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn wait(mut self) -> ProgramOutput {
        // Both ends of its pipes are closed by the end of the process and by nothing else.
        for printed in [&self.out, &self.err] {
            assert!(printed.wait_for_end(), "it does not end; it printed:\n{}", printed.text());
        }
        let status = self.child.wait().unwrap();
        ProgramOutput { code: status.code(), out: self.out.text(), err: self.err.text() }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // Shown with the failed test.
            println!("--- log of the program\n{}", self.err.text());
        }
    }
}

/// What a program prints on one stream, read by a thread as it comes.
#[derive(Debug, Clone)]
struct OutputStream {
    shared: Arc<(Mutex<Text>, Condvar)>,
}

#[derive(Debug, Default)]
struct Text {
    text: String,
    ended: bool,
}

impl OutputStream {
    fn follow(stream: impl Read + Send + 'static) -> Self {
        let printed = Self { shared: Arc::new((Mutex::new(Text::default()), Condvar::new())) };
        let writer = printed.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            loop {
                let mut line = Vec::new();
                let more = lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0);
                let mut text = writer.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.text.push_str(&String::from_utf8_lossy(&line));
                text.ended = !more;
                writer.shared.1.notify_all();
                if !more {
                    return;
                }
            }
        });
        printed
    }

    fn text(&self) -> String {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }

    fn wait_for_end(&self) -> bool {
        self.wait(|text| text.ended.then_some(())).is_some()
    }

    /// The first line that contains a text; `None` when the stream or the patience ends first.
    fn wait_for(&self, part: &str) -> Option<String> {
        self.wait(|text| {
            let line = text.text.lines().find(|line| line.contains(part)).map(str::to_owned);
            if line.is_some() || text.ended { Some(line) } else { None }
        })?
    }

    fn wait<T>(&self, mut look: impl FnMut(&Text) -> Option<T>) -> Option<T> {
        let until = Instant::now() + PATIENCE;
        let mut text = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&text) {
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now())?;
            text = self.shared.1.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
