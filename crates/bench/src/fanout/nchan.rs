//! nchan, the publish and subscribe module of nginx, as a peer: Debian's packages, one worker, the same text
//! published at the same rate over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::arrivals::{Stamps, now_micros};
use super::child::Process;
use liqheat::terminal::complain;

/// Where clients subscribe.
pub(super) const PATH: &str = "/sub";

/// A running nginx.
pub(super) struct Nchan {
    // Ended before its folder goes.
    _nginx: Process,
    _folder: TempDir,
    pub(super) address: SocketAddr,
    /// The process that serves clients.
    pub(super) worker: u32,
}

/// Nginx and its module; `None` where they are not installed.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let first = |paths: &[&str]| paths.iter().map(PathBuf::from).find(|path| path.exists());
    let nginx = first(&["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"])?;
    let module = first(&[
        "/usr/lib/nginx/modules/ngx_nchan_module.so",
        "/usr/lib64/nginx/modules/ngx_nchan_module.so",
    ])?;
    Some((nginx, module))
}

impl Nchan {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed, with how to get it, or does not start.
    pub(super) fn start() -> anyhow::Result<Self> {
        let (nginx, module) = installed().context("not installed; scripts/setup-nchan.sh does that")?;
        let folder = tempfile::tempdir()?;
        // Freed at once and taken by nginx a moment later.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(&module, folder.path(), address))?;
        let mut command = Command::new(nginx);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config).args(["-e", "stderr"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(&mut command)?;
        const PATIENCE: Duration = Duration::from_secs(10);
        let deadline = Instant::now() + PATIENCE;
        let worker = loop {
            if let (Some(worker), Ok(_)) = (worker(process.id()), TcpStream::connect(address)) {
                break worker;
            }
            if process.has_ended() || Instant::now() > deadline {
                let log = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
                bail!("nginx did not start: {}", log.lines().last().unwrap_or("it does not say why"));
            }
            thread::sleep(Duration::from_millis(20));
        };
        Ok(Self { _nginx: process, _folder: folder, address, worker })
    }
}

/// The one worker below the master.
fn worker(master: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn configuration(module: &Path, folder: &Path, address: SocketAddr) -> String {
    let (module, folder) = (module.display(), folder.display());
    // The worker of a master that is root would else be a user who cannot read the folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "load_module {module};
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {descriptors}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 1m;
    keepalive_timeout 1h;
    keepalive_requests 1000000;
    server {{
        listen {address} backlog=4096;
        location = {PATH} {{ nchan_subscriber websocket; nchan_channel_id bench; nchan_subscriber_first_message newest; }}
        location = /pub {{ nchan_publisher http; nchan_channel_id bench; nchan_message_buffer_length 2; }}
    }}
}}
",
        descriptors = super::limits::raise_descriptors().min(60_000),
    )
}

/// Publishes the same text at a steady rate until dropped.
pub(super) struct Publisher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    pub(super) fn start(address: SocketAddr, text: &[u8], hz: f64, stamps: Stamps) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut request = format!(
            "POST /pub HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        )
        .into_bytes();
        request.extend_from_slice(text);
        let (asked, turn) = (Arc::clone(&stop), Duration::from_secs_f64(1.0 / hz));
        let thread = thread::spawn(move || {
            let mut next = Instant::now();
            for seq in 1.. {
                if asked.load(Ordering::Relaxed) {
                    return;
                }
                stamps.put((0, seq), now_micros());
                if let Err(error) = stream.write_all(&request).and_then(|()| read_answer(&mut answers)) {
                    complain!("liqheat: publishing to nchan: {error}");
                    return;
                }
                next += turn;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It tells its troubles itself.
            let _ = thread.join();
        }
    }
}

fn read_answer(answers: &mut BufReader<TcpStream>) -> io::Result<()> {
    let (mut line, mut body_bytes) = (String::new(), 0);
    loop {
        line.clear();
        if answers.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            body_bytes = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            return answers.read_exact(&mut vec![0; body_bytes]);
        }
    }
}
