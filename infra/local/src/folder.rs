//! A plain folder that stands in for a source owner's upload: a file dropped there goes to the extracts bucket and then
//! moves to `done`.
//!
//! Files go in `<folder>/<source>/<feed>/`, or straight in the folder when they are called `<source>.csv` or
//! `<source>-<feed>.csv`. The folder is polled, because files arrive by every means there is and not all of them tell.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;

/// How often the folder is looked at. A dropped file should be searchable within seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks in which a file must be seen unchanged before it is taken: a second and a half at [`LOOK_EVERY`], so that a
/// slow copy is not taken half way.
const SETTLED_AFTER: u32 = 3;

/// Where files go when they have been uploaded.
const DONE: &str = "done";

/// Where files go that belong to no source known here.
const UNKNOWN: &str = "unknown";

/// Endings of files that can be an extract. Longer ones first: `.csv.gz` is not a source called `housing.csv`.
const ENDINGS: [&str; 9] = [".csv.gz", ".tsv.gz", ".txt.gz", ".rejected.csv", ".csv", ".tsv", ".txt", ".zip", ".xlsx"];

/// A file's name without what says that it can be an extract; `None` when nothing does. In lower case.
pub(crate) fn without_ending(name: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending))
}

/// The sources and feeds that files can be for, in the order of their definitions: a source's first feed is the one
/// that `<source>.csv` means.
#[derive(Clone, Debug, Default)]
pub struct Feeds(Vec<(String, Vec<String>)>);

impl Feeds {
    /// Sources with their feeds.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        Self(sources.into_iter().collect())
    }

    /// The feed a file straight in the folder is for: `housing.csv`, `housing-tenancies.csv`. Case does not matter.
    pub(crate) fn named(&self, file_name: &str) -> Option<(&str, &str)> {
        let name = file_name.to_lowercase();
        let stem = without_ending(&name)?;
        self.0.iter().find_map(|(source, feeds)| {
            let rest = stem.strip_prefix(source.as_str())?;
            let feed = match rest.strip_prefix('-') {
                None if rest.is_empty() => feeds.first()?,
                None => return None,
                Some(named) => feeds.iter().find(|feed| *feed == named)?,
            };
            Some((source.as_str(), feed.as_str()))
        })
    }

    fn has(&self, source: &str, feed: &str) -> bool {
        self.0.iter().any(|(name, feeds)| name == source && feeds.iter().any(|known| known == feed))
    }

    /// The names a file straight in the folder may have, for messages.
    #[must_use]
    pub fn file_names(&self) -> Vec<String> {
        self.0
            .iter()
            .flat_map(|(source, feeds)| {
                feeds.iter().enumerate().map(move |(position, feed)| match position {
                    0 => format!("{source}.csv"),
                    _ => format!("{source}-{feed}.csv"),
                })
            })
            .collect()
    }
}

/// A folder being watched.
pub struct DropFolder {
    folder: PathBuf,
    feeds: Feeds,
    s3: Client,
    bucket: String,
    seen: HashMap<PathBuf, Sighting>,
    refused: HashSet<PathBuf>,
    misplaced: HashSet<PathBuf>,
}

/// What is in the folder.
#[derive(Default)]
struct Found {
    /// Files, each with its size and time of change.
    files: Vec<(PathBuf, u64, SystemTime)>,
    /// Folders that lie too deep, and links: nothing is taken of them.
    misplaced: HashSet<PathBuf>,
}

/// How a file looked, and in how many looks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sighting {
    size: u64,
    changed: SystemTime,
    looks: u32,
}

impl DropFolder {
    /// Prepares `folder`, with a folder in it for each feed, so that people see where files go.
    ///
    /// # Errors
    ///
    /// When a folder cannot be made.
    pub fn open(folder: &Path, feeds: Feeds, s3: Client, bucket: &str) -> io::Result<Self> {
        for (source, names) in &feeds.0 {
            for feed in names {
                std::fs::create_dir_all(folder.join(source).join(feed))?;
            }
        }
        std::fs::create_dir_all(folder.join(DONE))?;
        Ok(Self {
            folder: folder.to_owned(),
            feeds,
            s3,
            bucket: bucket.to_owned(),
            seen: HashMap::new(),
            refused: HashSet::new(),
            misplaced: HashSet::new(),
        })
    }

    /// Watches for as long as the runtime lives.
    pub fn watch(mut self) {
        tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOK_EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "the drop folder could not be read");
                }
            }
        });
    }

    /// Looks once: files that have settled are uploaded and moved away.
    async fn look(&mut self) -> io::Result<()> {
        let Found { files, misplaced } = files_in(&self.folder).await?;
        for path in misplaced.difference(&self.misplaced) {
            self.tell_misplaced(path);
        }
        self.misplaced = misplaced;
        self.seen.retain(|path, _| files.iter().any(|(file, ..)| file == path));
        for (path, size, changed) in files {
            let looks = match self.seen.get(&path) {
                Some(before) if (before.size, before.changed) == (size, changed) => before.looks + 1,
                _ => 1,
            };
            self.seen.insert(path.clone(), Sighting { size, changed, looks });
            if looks >= SETTLED_AFTER {
                self.take(&path).await;
            }
        }
        Ok(())
    }

    async fn take(&mut self, path: &Path) {
        let Some((source, feed, name)) = self.feed_of(path) else {
            // The file's own name is not logged: people put people's names in file names.
            tracing::warn!(
                known = self.feeds.file_names().join(", "),
                "a file in the drop folder belongs to no known source and was moved to the folder `{UNKNOWN}`"
            );
            self.put_away(path, Path::new(UNKNOWN)).await;
            return;
        };
        match self.upload(path, &format!("{source}/{feed}/{name}")).await {
            Ok(()) => {
                self.refused.remove(path);
                tracing::info!(source, feed, "a dropped file was taken");
                self.put_away(path, &Path::new(DONE).join(&source).join(&feed)).await;
            }
            Err(reason) => {
                if self.refused.insert(path.to_owned()) {
                    tracing::warn!(
                        source,
                        feed,
                        reason,
                        "a dropped file could not be uploaded; it will be tried again"
                    );
                }
            }
        }
    }

    /// Where it lies is told as far as it names a feed: people put people's names in the names of files and folders.
    fn tell_misplaced(&self, path: &Path) {
        let parts = path.strip_prefix(&self.folder).ok().into_iter().flat_map(Path::iter);
        let parts: Vec<&str> = parts.filter_map(|part| part.to_str()).collect();
        let place = match parts.as_slice() {
            [source, feed, ..] if self.feeds.has(source, feed) => format!("{source}/{feed}"),
            _ => "the drop folder".to_owned(),
        };
        tracing::warn!(
            place,
            "a link or a deeper folder is not read: put the file itself in <source>/<feed>/ of the drop folder"
        );
    }

    /// Source, feed and file name, when the file is for a feed known here.
    fn feed_of(&self, path: &Path) -> Option<(String, String, String)> {
        let parts: Vec<&str> =
            path.strip_prefix(&self.folder).ok()?.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
        let (source, feed, name) = match parts.as_slice() {
            [name] => self.feeds.named(name).map(|(source, feed)| (source, feed, *name))?,
            [source, feed, name] if self.feeds.has(source, feed) => (*source, *feed, *name),
            _ => return None,
        };
        Some((source.to_owned(), feed.to_owned(), name.to_owned()))
    }

    async fn upload(&self, path: &Path, key: &str) -> Result<(), String> {
        let body = ByteStream::from_path(path).await.map_err(|error| error.to_string())?;
        let sent = self.s3.put_object().bucket(&self.bucket).key(key).body(body).send().await;
        sent.map(|_| ()).map_err(|error| DisplayErrorContext(error).to_string())
    }

    /// Moves the file, under a number when one of its name is there already. A file that cannot be moved is forgotten
    /// until it changes, so that it is not taken again and again.
    async fn put_away(&mut self, path: &Path, to: &Path) {
        if let Err(error) = self.move_to(path, to).await {
            tracing::warn!(%error, "a file in the drop folder could not be moved away");
            if let Some(sighting) = self.seen.get_mut(path) {
                sighting.looks = 0;
            }
        } else {
            self.seen.remove(path);
        }
    }

    async fn move_to(&self, path: &Path, to: &Path) -> io::Result<()> {
        let folder = self.folder.join(to);
        tokio::fs::create_dir_all(&folder).await?;
        let name = path.file_name().unwrap_or_default();
        let mut target = folder.join(name);
        let mut number = 1;
        while tokio::fs::try_exists(&target).await? {
            number += 1;
            target = folder.join(format!("{number} {}", name.to_string_lossy()));
        }
        tokio::fs::rename(path, target).await
    }
}

/// The files two folders deep at most, and what is in the wrong place; without those of the folder's own making and
/// those that programs leave while they write (`.part`, `~$book.csv`).
async fn files_in(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((current, depth)) = folders.pop() {
        let mut entries = tokio::fs::read_dir(&current).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(about) = entry.metadata().await else { continue };
            if about.is_dir() {
                let own = depth == 0 && (name == DONE || name == UNKNOWN);
                if depth < 2 && !own && !name.starts_with('.') {
                    folders.push((entry.path(), depth + 1));
                } else if depth == 2 && !name.starts_with('.') {
                    found.misplaced.insert(entry.path());
                }
            } else if is_being_written(&name) {
                continue;
            } else if about.is_file() {
                found.files.push((entry.path(), about.len(), about.modified()?));
            } else if about.is_symlink() {
                found.misplaced.insert(entry.path());
            }
        }
    }
    found.files.sort();
    Ok(found)
}

fn is_being_written(name: &str) -> bool {
    name.starts_with('.')
        || name.starts_with("~$")
        || [".part", ".tmp", ".crdownload", ".filepart"].iter().any(|ending| name.to_lowercase().ends_with(ending))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use fc_store::settings::Clients;

    use super::*;
    use crate::access_key::AccessKey;
    use crate::{DataFolder, s3};

    fn feeds() -> Feeds {
        let feed = |source: &str, feeds: &[&str]| {
            (source.to_owned(), feeds.iter().map(|feed| (*feed).to_owned()).collect::<Vec<_>>())
        };
        Feeds::new([
            feed("housing", &["tenancies"]),
            feed("adult-social-care", &["people", "staff"]),
            feed("adult", &["people"]),
        ])
    }

    /// A drop folder over a running object store, and the keys that reached the bucket.
    struct Drops {
        folder: DropFolder,
        arrived: Arc<Mutex<Vec<String>>>,
        place: DataFolder,
    }

    impl Drops {
        async fn new() -> Self {
            let place = DataFolder::open(None).unwrap();
            let (objects, dropped) = (place.path().join("objects"), place.path().join("drop"));
            std::fs::create_dir_all(&objects).unwrap();
            let arrived = Arc::new(Mutex::new(Vec::new()));
            let ears = Arc::clone(&arrived);
            let on_created: s3::OnCreated = Arc::new(move |event| {
                ears.lock().unwrap().extend(event.records.into_iter().filter_map(|record| record.s3.object.key));
            });
            let (listener, key) = (crate::listen(0).await.unwrap(), AccessKey::random());
            let endpoint = s3::start(listener, &objects, &["extracts"], on_created, &key).await.unwrap();
            let client = Clients::local(&key.endpoints(&endpoint, &endpoint)).s3;
            client.create_bucket().bucket("extracts").send().await.unwrap();
            Self { folder: DropFolder::open(&dropped, feeds(), client, "extracts").unwrap(), arrived, place }
        }

        fn path(&self, file: &str) -> PathBuf {
            self.place.path().join("drop").join(file)
        }

        fn drop_file(&self, file: &str, content: &str) {
            std::fs::write(self.path(file), content).unwrap();
        }

        async fn look(&mut self, times: u32) {
            for _ in 0..times {
                self.folder.look().await.unwrap();
            }
        }

        fn arrived(&self) -> Vec<String> {
            self.arrived.lock().unwrap().clone()
        }
    }

    #[tokio::test]
    async fn a_file_dropped_for_a_feed_is_uploaded_and_moved_to_done() {
        let mut drops = Drops::new().await;
        drops.drop_file("housing/tenancies/monday.csv", "id\n1\n");
        drops.look(SETTLED_AFTER).await;
        assert_eq!(drops.arrived(), ["housing/tenancies/monday.csv"]);
        assert!(!drops.path("housing/tenancies/monday.csv").exists());
        assert!(drops.path("done/housing/tenancies/monday.csv").exists());
    }

    #[tokio::test]
    async fn a_file_named_after_its_source_needs_no_folder() {
        let mut drops = Drops::new().await;
        drops.drop_file("Housing.csv", "id\n1\n");
        drops.drop_file("adult-social-care-staff.csv", "id\n1\n");
        drops.look(SETTLED_AFTER).await;
        assert_eq!(
            drops.arrived(),
            ["housing/tenancies/Housing.csv", "adult-social-care/staff/adult-social-care-staff.csv"]
        );
    }

    #[test]
    fn a_source_whose_name_begins_another_is_not_mistaken_for_it() {
        let feeds = feeds();
        assert_eq!(feeds.named("adult-social-care.csv"), Some(("adult-social-care", "people")));
        assert_eq!(feeds.named("adult-people.csv"), Some(("adult", "people")));
        assert_eq!(feeds.named("adult.csv"), Some(("adult", "people")));
        assert_eq!(feeds.named("adults.csv"), None);
        for packed in ["adult.csv.gz", "adult.zip", "Adult.xlsx", "adult.rejected.csv"] {
            assert_eq!(feeds.named(packed), Some(("adult", "people")), "{packed}");
        }
    }

    #[tokio::test]
    async fn a_file_still_being_copied_is_left_until_it_stops_growing() {
        let mut drops = Drops::new().await;
        drops.drop_file("housing.csv", "id\n");
        drops.look(SETTLED_AFTER - 1).await;
        drops.drop_file("housing.csv", "id\n1\n");
        drops.look(SETTLED_AFTER - 1).await;
        assert!(drops.arrived().is_empty());
        drops.look(1).await;
        assert_eq!(drops.arrived().len(), 1);
    }

    #[tokio::test]
    async fn a_file_a_program_is_writing_under_another_name_is_left() {
        let mut drops = Drops::new().await;
        drops.drop_file("housing.csv.part", "id\n");
        drops.drop_file("~$housing.csv", "id\n");
        drops.look(SETTLED_AFTER).await;
        assert!(drops.arrived().is_empty());
        assert!(drops.path("housing.csv.part").exists());
    }

    #[tokio::test]
    async fn a_file_for_no_known_source_is_set_aside() {
        let mut drops = Drops::new().await;
        drops.drop_file("dentists.csv", "id\n");
        drops.look(SETTLED_AFTER).await;
        assert!(drops.arrived().is_empty());
        assert!(drops.path("unknown/dentists.csv").exists());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_lies_too_deep_and_links_are_known_as_misplaced_and_left() {
        let mut drops = Drops::new().await;
        std::fs::create_dir_all(drops.path("housing/tenancies/march")).unwrap();
        drops.drop_file("housing/tenancies/march/monday.csv", "id\n1\n");
        std::os::unix::fs::symlink(drops.path("elsewhere.csv"), drops.path("housing.csv")).unwrap();
        drops.look(SETTLED_AFTER).await;
        assert!(drops.arrived().is_empty());
        let misplaced = HashSet::from([drops.path("housing/tenancies/march"), drops.path("housing.csv")]);
        assert_eq!(drops.folder.misplaced, misplaced);
        assert!(drops.path("housing/tenancies/march/monday.csv").exists());
    }

    #[tokio::test]
    async fn the_same_file_dropped_twice_is_taken_twice_and_both_are_kept() {
        let mut drops = Drops::new().await;
        for _ in 0..2 {
            drops.drop_file("housing.csv", "id\n1\n");
            drops.look(SETTLED_AFTER).await;
        }
        assert_eq!(drops.arrived().len(), 2);
        assert!(drops.path("done/housing/tenancies/2 housing.csv").exists());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_uploaded_stays_and_is_tried_again() {
        let mut drops = Drops::new().await;
        drops.folder.bucket = "no-such-bucket".to_owned();
        drops.drop_file("housing.csv", "id\n1\n");
        drops.look(SETTLED_AFTER).await;
        assert!(drops.path("housing.csv").exists());
        drops.folder.bucket = "extracts".to_owned();
        drops.look(1).await;
        assert_eq!(drops.arrived().len(), 1);
    }

    #[test]
    fn the_names_that_work_can_be_listed() {
        assert_eq!(
            feeds().file_names(),
            ["housing.csv", "adult-social-care.csv", "adult-social-care-staff.csv", "adult.csv"]
        );
    }
}
