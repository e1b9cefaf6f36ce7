//! Files that cannot be used, disks that are full, processes that are killed.
//!
//! Other processes are this test binary started again with one test, `as_another_process`, and a role in the
//! environment.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use duckdb::Connection;
use liqheat_market::{Interval, KlineKind, Price, Qty, Taker, Trade, UnixMs};
use liqheat_store::{FileState, Location, SCHEMA_VERSION, Settings, Store, StoreError};

use crate::world::{FOREVER, Place, btc, in_memory, klines};

const ROLE: &str = "LIQHEAT_STORE_TEST_ROLE";
const FILE: &str = "LIQHEAT_STORE_TEST_FILE";
const BATCH: i64 = 5_000;

fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(Location::File(path.to_owned()), Settings::default())
}

fn refusal(path: &Path) -> StoreError {
    let error = open(path).err().unwrap();
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "names the file: {text}");
    error
}

fn bars(store: &Store) -> usize {
    store.klines(&btc(), KlineKind::Last, Interval::M5, UnixMs(0), FOREVER).blocking().unwrap().len()
}

/// Trades that do not compress, so that the file grows with them.
fn noise(batch: i64) -> Vec<Trade> {
    let random = |id: i64, salt: i64| {
        (id.wrapping_mul(0x5851_F42D_4C95_7F2D) ^ salt).wrapping_mul(0x2545_F491_4F6C_DD1D)
    };
    let ids = batch * BATCH..(batch + 1) * BATCH;
    ids.map(|id| Trade {
        id,
        time: UnixMs(id),
        price: Price::from_units(random(id, 1)),
        qty: Qty::from_units(random(id, 2)),
        taker: Taker::Sell,
    })
    .collect()
}

/// Not a test of its own: what the other processes of the tests below run.
#[test]
fn as_another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = std::env::var(FILE).unwrap();
    let opened = open(Path::new(&path));
    if role == "try to open" {
        return println!("\nerror: {:?}", opened.err());
    }
    let store = opened.unwrap();
    match role.as_str() {
        "hold" => {
            println!("\nholding");
            // Until the other end of the pipe is closed.
            let _ = std::io::stdin().read(&mut [0]);
        }
        "append for ever" => {
            for batch in 0.. {
                store.append(&btc(), klines(batch * BATCH..(batch + 1) * BATCH)).blocking().unwrap();
                println!("\nappended {batch}");
            }
        }
        "append until the disk is full" => {
            let full = (0..400).find_map(|batch| {
                store.append(&btc(), klines(batch * BATCH..(batch + 1) * BATCH)).blocking().err()
            });
            println!("\nerror {}", full.unwrap());
            assert!(bars(&store) > 0, "reading still works");
            let failures = store.counters().failures;
            println!("\nleft {} failures {failures}", bars(&store));
        }
        "flush until the disk is full" => {
            let full = (0..400).find_map(|batch| {
                store.append(&btc(), noise(batch)).blocking().unwrap();
                store.flush().blocking().err()
            });
            println!("\nerror {}", full.unwrap());
            let trades = store.stats().blocking().unwrap().rows["trades"];
            println!("\nleft {trades} reopenings {}", store.counters().reopenings);
        }
        other => panic!("no role '{other}'"),
    }
}

fn another_process(role: &str, path: &Path, shell: Option<&str>) -> Child {
    prepared(role, path, shell).spawn().unwrap()
}

fn prepared(role: &str, path: &Path, shell: Option<&str>) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(program),
        Some(script) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]).arg(program);
            shell
        }
    };
    command
        .args(["trouble::as_another_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Reads the other process's lines up to one that starts with `word`.
fn line_from(child: &mut Child, word: &str) -> String {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.starts_with(word)).unwrap()
}

#[test]
fn a_file_in_use_by_another_process_is_refused() {
    let place = Place::new();
    let mut holder = another_process("hold", &place.file(), None);
    line_from(&mut holder, "holding");
    let StoreError::Locked { holder: who, .. } = refusal(&place.file()) else { panic!("not locked") };
    assert!(who.contains(&format!("PID {}", holder.id())), "{who}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    open(&place.file()).unwrap();
}

#[test]
fn a_file_in_use_by_this_process_is_refused() {
    let place = Place::new();
    let store = place.open();
    assert!(matches!(refusal(&place.file()), StoreError::Locked { .. }));
    #[cfg(unix)]
    {
        let link = place.folder.path().join("link.duckdb");
        std::os::unix::fs::symlink(place.file(), &link).unwrap();
        assert!(matches!(refusal(&link), StoreError::Locked { .. }));
    }
    store.close_blocking().unwrap();
    place.open();
}

#[test]
fn a_killed_process_leaves_whole_batches() {
    for kill_after in [0, 1, 3, 6, 9] {
        let place = Place::new();
        let mut child = another_process("append for ever", &place.file(), None);
        line_from(&mut child, &format!("appended {kill_after}"));
        child.kill().unwrap(); // SIGKILL, somewhere in the middle of what follows.
        child.wait().unwrap();
        let store = place.open();
        let count = bars(&store) as i64;
        assert_eq!(count % BATCH, 0, "whole batches only");
        assert!(count >= (kill_after + 1) * BATCH, "what was answered is there: {count}");
        // It goes on where it was, and repeating the interrupted batch is harmless.
        let next = klines(count - BATCH..count + BATCH);
        let appended = store.append(&btc(), next).blocking().unwrap();
        assert_eq!((appended.inserted, appended.already_there), (BATCH as u64, BATCH as u64));
    }
}

/// Runs a role with files limited to 2 MiB, which stands in for a full disk (the signal that comes with it is
/// ignored), and returns its lines "error .." and "left ..".
#[cfg(target_os = "linux")]
fn with_a_full_disk(role: &str, path: &Path) -> (String, String) {
    let mut child = another_process(role, path, Some("trap '' XFSZ; ulimit -f 4096"));
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let line = |word: &str| output.lines().find(|line| line.starts_with(word)).unwrap().to_owned();
    let error = line("error");
    assert!(error.contains("no room to write") && error.contains("market.duckdb"), "{error}");
    (error, line("left"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_not_the_end() {
    let place = Place::new();
    let (_, left) = with_a_full_disk("append until the disk is full", &place.file());
    // With room again, everything that was answered is there, in whole batches.
    let store = place.open();
    let count = bars(&store) as i64;
    assert!(count > 0 && count % BATCH == 0, "{count}");
    assert!(left.contains(&format!("left {count} ")), "{left}, found {count}");
    store.append(&btc(), klines(count..count + BATCH)).blocking().unwrap();
}

/// The file itself is full, not the log: DuckDB gives up such a database, so it is opened again.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_while_flushing_loses_nothing() {
    let place = Place::new();
    let (error, left) = with_a_full_disk("flush until the disk is full", &place.file());
    assert!(left.ends_with("reopenings 1"), "{left} after {error}");
    let store = place.open();
    let trades = store.stats().blocking().unwrap().rows["trades"];
    assert!(trades > 0 && trades.is_multiple_of(BATCH as u64), "{trades}");
    assert!(left.contains(&format!("left {trades} ")), "{left}, found {trades}");
    store.flush().blocking().unwrap();
}

#[test]
fn what_is_not_a_database_is_refused() {
    let place = Place::new();
    let text = place.folder.path().join("notes.txt");
    std::fs::write(&text, "open_time,open,high\n".repeat(1_000)).unwrap();
    assert!(matches!(refusal(&text), StoreError::NotADatabase { .. }));
    assert!(matches!(refusal(place.folder.path()), StoreError::NotADatabase { .. }));
    let missing = place.folder.path().join("nowhere/market.duckdb");
    assert!(matches!(refusal(&missing), StoreError::FolderMissing { .. }));
    assert!(!missing.exists());
    let inside_a_file = text.join("market.duckdb");
    assert!(open(&inside_a_file).is_err());
}

#[test]
fn a_damaged_database_is_refused() {
    let place = Place::new();
    let store = place.open();
    store.append(&btc(), klines(0..1_000)).blocking().unwrap();
    store.close_blocking().unwrap();
    let mut bytes = std::fs::read(place.file()).unwrap();
    bytes[4_096..12_288].fill(0xAB);
    std::fs::write(place.file(), bytes).unwrap();
    let error = refusal(&place.file());
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    let mode =
        |mode| std::fs::set_permissions(place.folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    let superuser = std::fs::write(place.folder.path().join("probe"), "").is_ok();
    if !superuser {
        assert!(matches!(refusal(&place.file()), StoreError::Permission { .. }));
        mode(0o700);
        return;
    }
    // The superuser may write anywhere, so somebody else tries.
    let mut command = prepared("try to open", &place.file(), None);
    let Ok(output) = command.uid(NOBODY).gid(NOBODY).output() else {
        println!("skipped: this program cannot be started as another user");
        return;
    };
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("error: Some(Permission"), "{output}");
}

#[test]
fn a_database_of_something_else_is_refused() {
    let place = Place::new();
    Connection::open(place.file()).unwrap().execute_batch("CREATE TABLE recipes (cake VARCHAR)").unwrap();
    let error = refusal(&place.file());
    assert!(matches!(&error, StoreError::ForeignDatabase { tables, .. } if tables == "recipes"), "{error:?}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    place.open().close_blocking().unwrap();
    let newer = SCHEMA_VERSION + 1;
    let version = || -> i64 {
        let connection = Connection::open(place.file()).unwrap();
        connection.query_row("SELECT version FROM liqheat_schema", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(version(), SCHEMA_VERSION);
    let connection = Connection::open(place.file()).unwrap();
    connection.execute("UPDATE liqheat_schema SET version = ?", [newer]).unwrap();
    drop(connection);
    let error = refusal(&place.file());
    assert!(
        matches!(error, StoreError::NewerSchema { found, known, .. } if found == newer && known == SCHEMA_VERSION)
    );
    assert_eq!(version(), newer);
}

#[test]
fn an_empty_file_is_refused_with_advice() {
    let place = Place::new();
    std::fs::write(place.file(), "").unwrap();
    let error = refusal(&place.file());
    assert!(
        matches!(&error, StoreError::NotADatabase { detail, .. } if detail.contains("delete it")),
        "{error:?}"
    );
}

#[test]
fn a_closed_store_says_so() {
    let store = in_memory();
    let other = store.clone();
    store.close_blocking().unwrap();
    assert_eq!(other.instruments().blocking(), Err(StoreError::Closed));
    assert_eq!(other.close_blocking(), Err(StoreError::Closed));
}

/// A database whose rows are in the log only, as a killed process leaves it: `batches` batches of klines.
fn killed_after(batches: i64) -> Place {
    let place = Place::new();
    let mut child = another_process("append for ever", &place.file(), None);
    line_from(&mut child, &format!("appended {}", batches - 1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log_file(&place).exists());
    place
}

fn log_file(place: &Place) -> std::path::PathBuf {
    place.folder.path().join("market.duckdb.wal")
}

fn recover(place: &Place) -> Store {
    Store::open(place.location(), Settings { recover: true, ..Settings::default() }).unwrap()
}

#[test]
fn a_damaged_log_is_refused_and_its_valid_beginning_recovered() {
    let place = killed_after(3);
    let mut log = std::fs::read(log_file(&place)).unwrap();
    let middle = log.len() / 2;
    log[middle] ^= 0x20;
    std::fs::write(log_file(&place), &log).unwrap();
    for _ in 0..2 {
        let error = open(&place.file()).err().unwrap();
        let StoreError::DamagedLog { position, .. } = error else { panic!("{error:?}") };
        assert!(position > 0 && position <= middle as u64, "{position} of {middle}");
        assert!(error.to_string().contains("--recover"), "{error}");
        assert_eq!(std::fs::read(log_file(&place)).unwrap(), log, "a refusal changes nothing");
    }
    let store = recover(&place);
    let count = bars(&store) as i64;
    assert!(count > 0 && count % BATCH == 0, "whole batches before the damage: {count}");
    store.append(&btc(), klines(0..count + 7)).blocking().unwrap();
    store.close_blocking().unwrap();
    let aside = place.folder.path().join("market.duckdb.wal.damaged-1");
    assert_eq!(std::fs::read(aside).unwrap(), log, "the whole log is kept");
    assert_eq!(bars(&place.open()) as i64, count + 7);
}

#[test]
fn a_log_without_its_beginning_is_not_dropped_silently() {
    let place = killed_after(2);
    let mut log = std::fs::read(log_file(&place)).unwrap();
    log[..64].fill(0xAB);
    std::fs::write(log_file(&place), &log).unwrap();
    let error = open(&place.file()).err().unwrap();
    assert!(matches!(error, StoreError::DamagedLog { position: 0, .. }), "{error:?}");
    let store = recover(&place);
    assert_eq!(store.instruments().blocking().unwrap(), [], "nothing of the log can be used");
    store.close_blocking().unwrap();
    let aside = place.folder.path().join("market.duckdb.wal.damaged-1");
    assert_eq!(std::fs::read(aside).unwrap(), log);
}

#[test]
fn a_log_that_ends_early_is_used() {
    for share in [0.1, 0.5, 0.95] {
        let place = killed_after(2);
        let log = std::fs::read(log_file(&place)).unwrap();
        let bytes = (log.len() as f64 * share) as usize;
        std::fs::write(log_file(&place), &log[..bytes]).unwrap();
        let store = place.open();
        assert_eq!(bars(&store) as i64 % BATCH, 0, "whole batches");
        store.close_blocking().unwrap();
    }
}

#[test]
fn a_file_that_was_cut_is_damaged_and_says_what_to_do() {
    let place = Place::new();
    let store = place.open();
    store.append(&btc(), klines(0..20_000)).blocking().unwrap();
    store.close_blocking().unwrap();
    let bytes = std::fs::read(place.file()).unwrap();
    std::fs::write(place.file(), &bytes[..bytes.len() / 2]).unwrap();
    let error = match open(&place.file()) {
        Err(error) => error,
        Ok(store) => store.instruments().blocking().unwrap_err(),
    };
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error:?}");
    assert!(error.to_string().contains("restore the file from a backup"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_is_deleted_or_replaced_while_open_is_noticed() {
    for replace in [false, true] {
        let place = Place::new();
        let store = place.open();
        store.append(&btc(), klines(0..10)).blocking().unwrap();
        if replace {
            let other = place.folder.path().join("other");
            std::fs::write(&other, "something else").unwrap();
            std::fs::rename(other, place.file()).unwrap();
        } else {
            std::fs::remove_file(place.file()).unwrap();
        }
        let expected = if replace { FileState::Replaced } else { FileState::Deleted };
        // Looked at once a second, while commands are answered.
        let noticed = liqheat_testkit::until("the file is missed", || {
            store.instruments().blocking().unwrap();
            Some(store.counters().file).filter(|file| *file != FileState::InPlace)
        });
        assert_eq!(noticed, expected);
        let error = store.close_blocking().unwrap_err();
        assert!(matches!(error, StoreError::FileGone { .. }), "{error:?}");
        if replace {
            assert_eq!(std::fs::read(place.file()).unwrap(), b"something else", "left alone");
        }
    }
}
