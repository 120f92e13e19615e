//! The whole stack on one machine, with no AWS account: what `cargo run` starts.
//!
//! Each module stands in for one managed service and speaks its protocol, so that the functions run here exactly as
//! they do in Lambda. In the order data flows through them:
//!
//! | module | stands in for |
//! | --- | --- |
//! | [`folder`] | a source owner's upload: files dropped in a plain folder go to the extracts bucket |
//! | [`s3`] | S3, with the notifications a bucket raises when an object is created |
//! | [`queue`] | SQS with a Lambda event source: batches, retries, a dead-letter list |
//! | [`dynamo`] | DynamoDB |
//! | [`issuer`] | the council's directory (Entra ID): sign-in and tokens for named test users |
//! | [`edge`] | API Gateway: token check, body limit, request id, routes |
//!
//! [`stack`] puts them together round the functions. Everything listens on 127.0.0.1 only, and answers requests for this
//! machine only: see [`loopback`]. Tables and objects want a signature with the start's own [`access_key`].

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub mod access_key;
pub mod cost;
pub mod definitions;
pub mod dynamo;
pub mod edge;
pub mod explaining;
pub mod facts;
pub mod folder;
pub mod issuer;
pub mod linking;
pub mod loads;
pub mod loopback;
pub mod operator;
pub mod queue;
pub mod rebuild;
pub mod reconcile;
pub mod run;
pub mod s3;
pub mod stack;
mod steps;
pub mod training;

pub use loopback::{address, listen, serve};

/// Why part of the local stack did not start. Each message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there already.
    #[error("Port {0} is already in use. Stop the program that uses it, or choose another with --port.")]
    PortInUse(u16),
    /// The machine refused a loopback socket.
    #[error("Could not listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// A folder cannot be made or read.
    #[error("Could not use the folder {}: {source}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder holds something else, which must not be made unreadable for others.
    #[error(
        "The folder {} holds other files ({found}). Choose an empty or new folder with --data: everything in it becomes readable for you alone.",
        .path.display()
    )]
    FolderOfOthers {
        /// The folder.
        path: PathBuf,
        /// A name in it that is not ours.
        found: String,
    },
    /// Another stack keeps its data there.
    #[error("Another stack is running with the data folder {}. Stop it first, or choose another folder with --data.", .0.display())]
    FolderInUse(PathBuf),
    /// The embedded DynamoDB could not open its file.
    #[error("Could not open the database: {0}")]
    Database(String),
    /// The embedded S3 could not open its folder.
    #[error("Could not open the object store: {0}")]
    ObjectStore(String),
    /// No signing key could be made.
    #[error("Could not make a signing key for the development issuer: {0}")]
    SigningKey(String),
    /// The secret that record ids are hashed with cannot be made or read back.
    #[error("Could not use the hashing secret in {}: {reason}", .path.display())]
    Secret {
        /// The file it is kept in.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Source definitions have mistakes.
    #[error(transparent)]
    Definitions(#[from] fc_sources::Unusable),
    /// A table or bucket could not be made.
    #[error("Could not make the tables and buckets: {0}")]
    Store(#[from] fc_store::StoreError),
    /// The page refuses its settings.
    #[error("Could not set up the page: {0}")]
    Page(String),
}

/// Where this run keeps its files: a folder the user chose and keeps, or one that goes when the run ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    kept: bool,
    /// Held as long as the folder is in use. The operating system lets go of it when the process ends, however it ends.
    _lock: Option<File>,
}

/// The file whose lock says that a data folder is in use.
const LOCK: &str = "lock";

/// What a stack puts into its data folder. Databases have files beside them while they are open.
const OWN_FILES: [&str; 8] = [
    LOCK,
    stack::HASHING_SECRET,
    stack::BUCKETS,
    stack::TABLES,
    loads::RUNNING,
    loads::AWS_ENV,
    run::MADE_UP_PEOPLE,
    run::DROP,
];

impl DataFolder {
    /// Opens `chosen`, or makes a folder that is deleted when this value is dropped. Only this user can read what is in it,
    /// whatever the folder was before.
    ///
    /// # Errors
    ///
    /// [`StartError::Folder`], [`StartError::FolderOfOthers`] when `chosen` holds something else, or
    /// [`StartError::FolderInUse`] when another stack has it.
    pub fn open(chosen: Option<&Path>) -> Result<Self, StartError> {
        let (path, kept) = match chosen {
            Some(path) => (path.to_owned(), true),
            None => (std::env::temp_dir().join(format!("family-context-{}", uuid::Uuid::new_v4())), false),
        };
        let unusable = |source| StartError::Folder { path: path.clone(), source };
        make_private_folder(&path).map_err(unusable)?;
        if let Some(found) = name_of_others(&path).map_err(unusable)? {
            return Err(StartError::FolderOfOthers { path, found });
        }
        let lock = if kept { Some(lock(&path)?) } else { None };
        make_private(&path).map_err(unusable)?;
        Ok(Self { path, kept, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True when the next run finds today's data again.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing can be done about a failure here, and the folder is private to this user.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn lock(folder: &Path) -> Result<File, StartError> {
    let unusable = |source| StartError::Folder { path: folder.to_owned(), source };
    let file = private_file().truncate(false).create(true).open(folder.join(LOCK)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::FolderInUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Options to write a file that only this user can read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// A name in a folder that is no stack's. Once it holds a hashing secret it is a stack's, whatever else lies there.
fn name_of_others(folder: &Path) -> io::Result<Option<String>> {
    if folder.join(stack::HASHING_SECRET).exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let beside_database = name.strip_prefix(stack::TABLES).is_some_and(|rest| rest.starts_with('-'));
        if !beside_database && !OWN_FILES.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Takes everybody else's rights away from a folder and all that is in it. Links are not followed: what they lead to is
/// not ours.
#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(path)?;
    let wanted = if about.is_dir() { 0o700 } else { 0o600 };
    if about.permissions().mode() & 0o777 != wanted {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted))?;
    }
    if about.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_type()?.is_symlink() {
                make_private(&entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

/// From here on, what this process makes is for this user alone, whichever library makes it.
pub(crate) fn keep_new_files_private() {
    #[cfg(unix)]
    let _ = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_data_folder_leaves_nothing_behind() {
        let folder = DataFolder::open(None).unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("extract.csv"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_data_folder_is_one_stacks_until_that_ends() {
        let place = DataFolder::open(None).unwrap();
        let chosen = place.path().join("kept");
        let first = DataFolder::open(Some(&chosen)).unwrap();
        let refused = DataFolder::open(Some(&chosen)).unwrap_err().to_string();
        assert!(refused.starts_with("Another stack is running with the data folder"), "{refused}");
        drop(first);
        // The file is still there, as after a crash, and nobody holds it.
        assert!(chosen.join(LOCK).exists());
        DataFolder::open(Some(&chosen)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_machine_can_read_a_data_folder() {
        use std::os::unix::fs::PermissionsExt;
        let place = DataFolder::open(None).unwrap();
        let kept = DataFolder::open(Some(&place.path().join("kept"))).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(place.path()), mode(kept.path()), mode(&kept.path().join(LOCK))), (0o700, 0o700, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_could_read_is_for_its_owner_alone_once_it_is_used() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let place = DataFolder::open(None).unwrap();
        let (chosen, elsewhere) = (place.path().join("kept"), place.path().join("elsewhere"));
        let extract = chosen.join("buckets/extracts/housing/people/monday.csv");
        std::fs::create_dir_all(extract.parent().unwrap()).unwrap();
        std::fs::write(&extract, "x").unwrap();
        std::fs::write(chosen.join(stack::TABLES), "x").unwrap();
        std::fs::write(&elsewhere, "x").unwrap();
        symlink(&elsewhere, chosen.join(run::DROP)).unwrap();
        let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for (path, mode) in [(chosen.as_path(), 0o755), (&chosen.join("buckets"), 0o777), (&extract, 0o644)] {
            open(path, mode);
        }
        open(&elsewhere, 0o644);

        DataFolder::open(Some(&chosen)).unwrap();
        assert_eq!((mode(&chosen), mode(&chosen.join("buckets")), mode(&extract)), (0o700, 0o700, 0o600));
        assert_eq!(mode(&chosen.join(stack::TABLES)), 0o600);
        assert_eq!(mode(&elsewhere), 0o644, "a link leads to what is not ours");
    }

    #[test]
    fn a_folder_with_somebody_elses_files_is_left_as_it_is() {
        let place = DataFolder::open(None).unwrap();
        let home = place.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("letters.txt"), "x").unwrap();
        let refused = DataFolder::open(Some(&home)).unwrap_err().to_string();
        assert!(refused.contains("holds other files (letters.txt). Choose an empty or new folder"), "{refused}");
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1, "nothing was put there");
        // Of a stack that ran there before, a note of somebody's own changes nothing.
        std::fs::write(home.join(stack::HASHING_SECRET), [7; 32]).unwrap();
        DataFolder::open(Some(&home)).unwrap();
    }
}
