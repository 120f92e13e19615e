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
//! [`stack`] puts them together round the functions. Everything listens on 127.0.0.1 only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

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
pub mod operator;
pub mod queue;
pub mod rebuild;
pub mod reconcile;
pub mod run;
pub mod s3;
pub mod stack;
mod steps;
pub mod training;

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

/// Listens on the loopback address, on a free port when `port` is 0.
///
/// The one place that opens a listening socket, so that nothing here can be reached from another machine.
///
/// # Errors
///
/// [`StartError::PortInUse`] or [`StartError::Listen`].
pub async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse(port),
        _ => StartError::Listen(error),
    })
}

/// The base address of a listener, such as `http://127.0.0.1:8080`, without a final slash.
///
/// # Errors
///
/// [`StartError::Listen`] when the socket has no address.
pub fn address(listener: &TcpListener) -> Result<String, StartError> {
    Ok(format!("http://{}", listener.local_addr().map_err(StartError::Listen)?))
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

impl DataFolder {
    /// Opens `chosen`, or makes a folder that only this user can read and that is deleted when this value is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError::Folder`], or [`StartError::FolderInUse`] when another stack has `chosen`.
    pub fn open(chosen: Option<&Path>) -> Result<Self, StartError> {
        let (path, kept) = match chosen {
            Some(path) => (path.to_owned(), true),
            None => (std::env::temp_dir().join(format!("family-context-{}", uuid::Uuid::new_v4())), false),
        };
        let unusable = |source| StartError::Folder { path: path.clone(), source };
        make_private_folder(&path).map_err(unusable)?;
        let lock = if kept { Some(lock(&path)?) } else { None };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_in_the_message() {
        let first = listen(0).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let refused = listen(port).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("Port {port} is already in use")));
    }

    #[tokio::test]
    async fn nothing_listens_beyond_this_machine() {
        assert!(listen(0).await.unwrap().local_addr().unwrap().ip().is_loopback());
    }

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
}
