//! Watching the files of keys: what each of them held last, and what is to be done when that changes.
//!
//! The texts are compared, not times: a file that is replaced within the clock's step or with an old time is noticed,
//! too. A file that cannot be read or parsed leaves its keys in use until it can be again, because a torn file is more
//! often a mistake than a revocation; logs, `/ready` and metrics say so.

#![expect(clippy::disallowed_methods, reason = "reads the key files")]

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::keys::{KeySource, ParsedKeys};
use super::settings::{TokenSettings, TokenSettingsError};

/// The largest file of keys.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file of keys, as it was last seen.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub(super) source: KeySource,
    pub(super) path: PathBuf,
    /// The last text that was read, good or not.
    last_text: Option<String>,
    /// Why the file cannot be used.
    fault: Option<String>,
}

impl KeyFile {
    pub(super) const fn new(source: KeySource, path: PathBuf, text: String) -> Self {
        Self { source, path, last_text: Some(text), fault: None }
    }

    /// Reads a file of keys at the start, when every mistake is an error.
    pub(super) fn load(source: KeySource, path: &Path) -> Result<(ParsedKeys, Self), TokenSettingsError> {
        let text = read(path).map_err(|error| TokenSettingsError::Unreadable {
            setting: source.setting(),
            path: path.to_path_buf(),
            error,
        })?;
        let parsed = ParsedKeys::parse(source, &text).filter(|keys| keys.len() > 0);
        let parsed = parsed.ok_or_else(|| match source {
            KeySource::Secret => TokenSettingsError::ShortSecret(source.setting()),
            KeySource::PublicKey => TokenSettingsError::NotAKey(path.to_path_buf()),
            KeySource::KeySet => TokenSettingsError::NotAKeySet(path.to_path_buf()),
        })?;
        Ok((parsed, Self::new(source, path.to_path_buf(), text)))
    }

    /// The files that these settings name.
    pub(super) fn paths(settings: &TokenSettings) -> impl Iterator<Item = (KeySource, &Path)> {
        let files = [
            (KeySource::Secret, &settings.secret_file),
            (KeySource::PublicKey, &settings.public_key),
            (KeySource::KeySet, &settings.jwks),
        ];
        files.into_iter().filter_map(|(source, path)| Some((source, path.as_deref()?)))
    }

    /// Whether the file cannot be used now.
    pub(super) const fn is_faulty(&self) -> bool {
        self.fault.is_some()
    }

    /// Takes what was read now; returns keys when they are to replace those in use.
    pub(super) fn take(&mut self, read: io::Result<String>) -> Option<ParsedKeys> {
        let path = self.path.display();
        let setting = self.source.setting();
        let outcome = match read {
            Ok(text) if self.last_text.as_ref() == Some(&text) => return None,
            Ok(text) => {
                let keys = ParsedKeys::parse(self.source, &text);
                self.last_text = Some(text);
                keys.ok_or_else(|| "not in the form that this setting wants".to_owned())
            }
            Err(error) => {
                // The same text may come back.
                self.last_text = None;
                Err(error.to_string())
            }
        };
        match outcome {
            Ok(keys) => {
                if keys.len() == 0 {
                    warn!(setting, %path, "key set holds no key of ES256: every token signed by one is refused");
                }
                self.fault = None;
                Some(keys)
            }
            Err(fault) => {
                if self.fault.as_ref() != Some(&fault) {
                    warn!(setting, %path, fault, "key file not usable; keys read before stay in use");
                }
                self.fault = Some(fault);
                None
            }
        }
    }

    /// Says that keys were replaced.
    pub(super) fn report(&self, keys: usize, revoked: usize) {
        info!(setting = self.source.setting(), path = %self.path.display(), keys, revoked, "key file read again");
    }
}

/// Reads a file of keys; blocks.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use liqheat_testkit::token::key_set;

    use super::*;

    fn file(text: &str) -> KeyFile {
        KeyFile::new(KeySource::KeySet, "jwks.json".into(), text.to_owned())
    }

    #[test]
    fn a_file_counts_when_its_text_changes_and_can_be_used() {
        let (old, new) = (key_set("old"), key_set("new"));
        let missing = || Err(io::ErrorKind::NotFound.into());
        let mut file = file(&old);
        for (read, keys, is_faulty) in [
            (Ok(old.clone()), None, false),
            (Ok(new.clone()), Some(1), false),
            (Ok(new[..new.len() / 2].to_owned()), None, true),
            (Ok(new[..new.len() / 2].to_owned()), None, true),
            (Ok(new.clone()), Some(1), false),
            (missing(), None, true),
            (missing(), None, true),
            (Ok(new.clone()), Some(1), false),
            (Ok("{\"keys\":[]}".to_owned()), Some(0), false),
            (Ok(String::new()), None, true),
            (Ok(old), Some(1), false),
        ] {
            let shown = format!("{read:?}");
            assert_eq!(file.take(read).map(|keys| keys.len()), keys, "{shown}");
            assert_eq!(file.is_faulty(), is_faulty, "{shown}");
        }
    }

    #[test]
    fn files_without_an_end_are_not_read_to_it() {
        let endless = Path::new("/dev/zero");
        assert!(read(endless).is_err());
    }
}
