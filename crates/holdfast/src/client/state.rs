//! What the client keeps between two commands: who is signed in where (cookies), and of each vault what it takes to know its keeper
//! again. One file that its owner alone can read; never a password, phrase or key.

use std::collections::BTreeMap;
use std::env;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use client::Known;
use protocol::{CellId, UserId, b64};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::failure::Failure;

const VERSION: u8 = 1;
const FILE: &str = "client.json";

/// Somebody who is signed in. Has no `Debug`: the cookies sign in as them.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Session {
    #[zeroize(skip)]
    pub server: String,
    #[zeroize(skip)]
    pub user: UserId,
    #[zeroize(skip)]
    pub email: String,
    /// `name=value`, joined by `; `.
    pub cookies: String,
}

/// What a keeper is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Keeper {
    cell: CellId,
    #[serde(with = "b64")]
    public_key: Vec<u8>,
    epoch: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
    /// By server and person.
    #[serde(default)]
    keepers: BTreeMap<String, Keeper>,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            version: VERSION,
            session: None,
            keepers: BTreeMap::new(),
        }
    }
}

/// Where the client keeps what it knows.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// `$XDG_STATE_HOME/holdfast`, or `~/.local/state/holdfast`.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn find() -> Result<Self, Failure> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let base = base.ok_or_else(|| Failure::State {
            path: PathBuf::from("~/.local/state/holdfast"),
            reason: io::Error::new(io::ErrorKind::NotFound, "neither XDG_STATE_HOME nor HOME is set"),
        })?;
        Ok(Self::at(&base.join("holdfast")))
    }

    /// In this folder.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn failed(&self, reason: io::Error) -> Failure {
        Failure::State {
            path: self.file(),
            reason,
        }
    }

    fn read(&self) -> Result<Stored, Failure> {
        let path = self.file();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stored::default()),
            Err(error) => return Err(self.failed(error)),
        };
        let mode = file
            .metadata()
            .map_err(|error| self.failed(error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Failure::StateOpen(path));
        }
        let stored: Stored =
            serde_json::from_reader(io::BufReader::new(file)).map_err(|error| self.failed(error.into()))?;
        if stored.version != VERSION {
            return Err(Failure::StateNewer(path));
        }
        Ok(stored)
    }

    /// Reads, changes and writes it, one process at a time.
    fn change(&self, change: impl FnOnce(&mut Stored)) -> Result<(), Failure> {
        let failed = |error| self.failed(error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(failed)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join("client.lock"))
            .map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut stored = self.read()?;
        change(&mut stored);
        let json = zeroize::Zeroizing::new(serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?);
        // A file of this kind is made for its owner alone.
        let mut part = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        part.write_all(&json)
            .and_then(|()| part.as_file().sync_all())
            .map_err(failed)?;
        part.persist(self.file()).map_err(|error| failed(error.error))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// Nobody is; the file cannot be read, or could be read by others.
    pub fn session(&self) -> Result<Session, Failure> {
        self.read()?.session.ok_or(Failure::NotSignedIn)
    }

    /// Remembers who is signed in.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn sign_in(&self, session: Session) -> Result<(), Failure> {
        self.change(|stored| stored.session = Some(session))
    }

    /// Forgets who was signed in; the keepers stay known.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn sign_out(&self) -> Result<(), Failure> {
        if !self.file().exists() {
            return Ok(());
        }
        self.change(|stored| stored.session = None)
    }

    /// The keeper of somebody's vault, if it was seen before.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn known(&self, session: &Session) -> Result<Option<Known>, Failure> {
        let stored = self.read()?;
        Ok(stored.keepers.get(&key(session)).map(|keeper| Known {
            cell: keeper.cell,
            keeper_public_key: keeper.public_key.clone(),
            epoch: keeper.epoch,
        }))
    }

    /// Remembers a keeper that has proved itself. What another process saw meanwhile is not set back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, session: &Session, known: &Known) -> Result<(), Failure> {
        let keeper = Keeper {
            cell: known.cell,
            public_key: known.keeper_public_key.clone(),
            epoch: known.epoch,
        };
        self.change(|stored| {
            let seen = stored.keepers.entry(key(session)).or_insert_with(|| keeper.clone());
            if seen.cell == keeper.cell && seen.public_key == keeper.public_key {
                seen.epoch = seen.epoch.max(keeper.epoch);
            }
        })
    }

    /// Forgets the keeper of somebody's vault.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&self, session: &Session) -> Result<(), Failure> {
        self.change(|stored| {
            stored.keepers.remove(&key(session));
        })
    }
}

fn key(session: &Session) -> String {
    format!("{} {}", session.server, session.user)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn session() -> Session {
        Session {
            server: "https://agents.example".to_owned(),
            user: UserId::new(),
            email: "mia@example.org".to_owned(),
            cookies: "holdfast_session=abc; holdfast_csrf=def".to_owned(),
        }
    }

    fn known(epoch: u64) -> Known {
        Known {
            cell: CellId::new(),
            keeper_public_key: vec![7; 32],
            epoch,
        }
    }

    #[test]
    fn it_is_for_its_owner_alone_and_refused_when_others_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(&dir.path().join("holdfast"));
        assert!(matches!(state.session(), Err(Failure::NotSignedIn)));
        state.sign_in(session()).unwrap();
        let file = state.file();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(state.session(), Err(Failure::StateOpen(_))));
    }

    #[test]
    fn signing_out_forgets_the_cookies_and_keeps_the_keeper() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path());
        let (session, known) = (session(), known(4));
        state.sign_in(session.clone()).unwrap();
        state.remember(&session, &known).unwrap();
        state.sign_out().unwrap();
        assert!(!fs::read_to_string(state.file()).unwrap().contains("abc"));
        assert_eq!(state.known(&session).unwrap(), Some(known));
        state.forget(&session).unwrap();
        assert_eq!(state.known(&session).unwrap(), None);
    }

    #[test]
    fn what_was_seen_of_a_keeper_is_not_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path());
        let session = session();
        let seen = known(9);
        state.remember(&session, &seen).unwrap();
        state
            .remember(
                &session,
                &Known {
                    epoch: 5,
                    ..seen.clone()
                },
            )
            .unwrap();
        let other = Known {
            keeper_public_key: vec![8; 32],
            epoch: 99,
            ..seen.clone()
        };
        state.remember(&session, &other).unwrap();
        assert_eq!(state.known(&session).unwrap(), Some(seen));
    }

    /// The file of the first version, as it was written.
    #[test]
    fn a_file_of_the_first_version_is_read_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path());
        let put = |text: &str| {
            fs::write(state.file(), text).unwrap();
            fs::set_permissions(state.file(), fs::Permissions::from_mode(0o600)).unwrap();
        };
        put(include_str!("fixtures/client-1.json"));
        let session = state.session().unwrap();
        assert_eq!(session.server, "https://agents.example");
        assert_eq!(
            session.cookies,
            "__Host-holdfast_session=AAAA; __Host-holdfast_csrf=BBBB"
        );
        assert_eq!(state.known(&session).unwrap().unwrap().epoch, 12);
        put("{\"version\":2}");
        assert!(matches!(state.session(), Err(Failure::StateNewer(_))));
    }
}
