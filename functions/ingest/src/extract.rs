//! Reading an extract, twice at most on nearly every night, without ever holding it.
//!
//! The first reading also counts what stands on more people than can share it. When that is not what the feed's last whole
//! extract had, the file is surveyed once more without it: what a record says must not hang on which night it came.
//!
//! The first reading keeps of each record a handle, a hash and whom it is of ([`Gathering`]): 52 bytes a record, 78 MB for
//! 1.5 million, which is the most that one feed may have. When that shows that something changed, the second reading makes the changes,
//! and holds one part under way and those records of which some rows are still to come. Where those are too many, because
//! the rows of records lie far apart, the file is read once more for the rest of them.

use crate::{
    guarding::Guarding,
    manifest::{Handle, Hash, from_hex},
    plan::{Gathering, Named, Said},
    report::Rejection,
};
use fc_model::{Change, Content, Date, HandleKey, RecordHandle, RecordId, Seq, StaffId};
use fc_sources::{
    Common, Definition, Entry, Feed, FeedKind, FileError, Identity, Mend, Mode, Report, Row,
    common::{self, Counting},
};
use fc_store::{StoreError, bucket::Object, guard::Guarded, people};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{self, Read},
};
use tokio::sync::mpsc;

/// Chunks of the file that may be on their way to the reader.
const CHUNKS_AHEAD: usize = 8;
/// Changes in a part: small enough that one part is applied in seconds, and a failed one costs little to repeat.
pub const PART_LINES: usize = 100;
/// Bytes after which a part ends early.
const PART_BYTES: usize = 256 * 1024;
/// Rejected rows listed one by one; a file with more is told their number, and its fault is one of form.
pub(crate) const LISTED: usize = 100_000;

/// Records of one feed: a council of 300,000 people has 1.5 million in all its feeds together.
const MOST_RECORDS: usize = 1_500_000;
/// Rows that are held while others of their records are still to come: about 40 MB.
const MOST_OPEN: usize = 20_000;

/// What to read, and as what.
pub(crate) struct Extract<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) feed: &'a Feed,
    pub(crate) key: &'a HandleKey,
    /// Decides what a two-digit year means and what is in the future.
    pub(crate) today: Date,
    /// Changes in a part.
    pub(crate) part_lines: usize,
    /// Values that say nothing of who somebody is, and are taken out of what is read.
    pub(crate) common: &'a Common,
}

/// What the first reading found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// SHA-256 of the bytes.
    pub(crate) content: String,
    /// What the file says of each record, sorted.
    pub(crate) said: Vec<Named>,
    /// What became of its rows, and how good they are; `None` when none could be read.
    pub(crate) reading: Option<Report>,
    pub(crate) rejected: Vec<Rejection>,
    /// Rejected rows, for their owner to mend.
    pub(crate) mend: Mend,
    /// Records whose rows speak of people who clearly differ, sorted.
    pub(crate) shared: Vec<Handle>,
    /// Whether there are more records than a feed may have.
    pub(crate) too_many: bool,
    /// What it protects beyond what is guarded already, and what it takes back.
    pub(crate) guarding: Guarding,
    /// Latest as-of date in the rows that is not in the future.
    pub(crate) latest: Option<Date>,
    /// Why the file as a whole cannot be used.
    pub(crate) fault: Option<FileError>,
    /// What stands on more people than can share it; counted of a whole extract, and otherwise what was taken out.
    pub(crate) common: Common,
    /// The same in numbers.
    pub(crate) common_found: common::Found,
}

/// The bytes of an object as they arrive, for a reader that waits for them.
pub(crate) struct Arriving {
    chunks: mpsc::Receiver<Vec<u8>>,
    chunk: io::Cursor<Vec<u8>>,
    digest: Sha256,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.position() >= self.chunk.get_ref().len() as u64 {
            // When the object breaks off, the sender goes too: the file seems to end, and `arrive` says that it did not.
            let Some(chunk) = self.chunks.blocking_recv() else { return Ok(0) };
            self.digest.update(&chunk);
            self.chunk = io::Cursor::new(chunk);
        }
        self.chunk.read(buffer)
    }
}

impl Arriving {
    /// A reader, and where to send what arrives.
    pub(crate) fn new() -> (mpsc::Sender<Vec<u8>>, Self) {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        (sender, Self { chunks, chunk: io::Cursor::default(), digest: Sha256::new() })
    }

    /// SHA-256 of all bytes, also those that the reader did not want.
    fn content(mut self) -> String {
        while let Some(chunk) = self.chunks.blocking_recv() {
            self.digest.update(&chunk);
        }
        hex(&self.digest.finalize())
    }
}

/// Sends an object's bytes to a reader.
pub(crate) async fn arrive(mut object: Object, to: mpsc::Sender<Vec<u8>>) -> Result<(), StoreError> {
    loop {
        match object.body.try_next().await {
            Ok(Some(chunk)) => {
                if to.send(chunk.to_vec()).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            Err(_) => {
                return Err(StoreError::Unavailable {
                    operation: "GetObject",
                    place: "extracts".into(),
                    reason: "broken response".into(),
                });
            }
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Extract<'_> {
    /// First reading: what the file says of whom, and how good it is. Rows of the `shared` records are rejected: one reading
    /// finds these, for of the first row of such a record nobody knows yet that another person's follows.
    pub(crate) fn survey(&self, mut file: Arriving, guarded: &Guarded, shared: &[Handle]) -> Survey {
        let mut survey = Survey { shared: shared.to_vec(), ..Survey::default() };
        survey.fault = self.survey_rows(&mut file, guarded, &mut survey).err();
        survey.content = file.content();
        survey
    }

    fn survey_rows(&self, file: &mut Arriving, guarded: &Guarded, survey: &mut Survey) -> Result<(), FileError> {
        let mut reader = self.feed.reader(file, self.today)?;
        let report = survey.reading.insert(Report::new(&reader));
        survey.mend = Mend::new(&reader);
        let mut said = Gathering::default();
        let mut counting = (self.feed.mode == Mode::Full).then(Counting::default);
        while let Some(row) = reader.next() {
            let row = match row? {
                Row::Used { line, records, .. } if self.is_of(&records, &survey.shared) => {
                    let id = records.into_iter().next().map(|(id, _)| id).unwrap_or_default();
                    reader.shared(id, line)
                }
                row => row,
            };
            report.add(&row);
            survey.mend.add(&row);
            if said.len() > MOST_RECORDS {
                survey.too_many = true;
                break;
            }
            match row {
                Row::Used { records, .. } => {
                    for (id, entry) in records {
                        let (record, handle) = self.handle(&id);
                        let said = said.of(handle);
                        match entry {
                            Entry::Gone => said.deleted = true,
                            Entry::Present(mut content) => {
                                survey.guarding.add(guarded, self.key, &record, &content);
                                if let (Some(counting), Content::Person(details)) = (&mut counting, &content) {
                                    counting.add(self.key, &id, details);
                                }
                                if self.feed.kind == FeedKind::People {
                                    said.meet(Identity::of(&content));
                                }
                                self.take_out_common(&mut content);
                                said.add(self.hash(&content));
                                survey.latest = survey.latest.max(self.as_of(&content));
                            }
                        }
                    }
                }
                Row::Skipped { .. } => {}
                Row::Rejected { line, id, column, reason, .. } => {
                    if let Some(id) = id {
                        said.of(self.handle(&id).1).rejected = true;
                    }
                    if survey.rejected.len() < LISTED {
                        survey.rejected.push(Rejection { line, column, reason: reason.words().to_owned() });
                    }
                }
            }
        }
        report.finish(&reader);
        survey.said = said.settled();
        survey.common.clone_from(self.common);
        if let Some(counting) = counting {
            (survey.common, survey.common_found) = counting.found();
        }
        if survey.shared.is_empty() {
            survey.shared = survey.said.iter().filter(|named| named.said.shared).map(|named| named.handle).collect();
        }
        Ok(())
    }

    fn is_of(&self, records: &[(String, Entry)], shared: &[Handle]) -> bool {
        !shared.is_empty() && records.iter().any(|(id, _)| shared.binary_search(&self.handle(id).1).is_ok())
    }

    /// Second reading: the changes, in parts, each given to `stage` with its number. `None` when the file is not the one
    /// that was surveyed. Begins where the reading before it ended.
    pub(crate) fn changes(
        &self,
        mut file: Arriving,
        survey: &Survey,
        removed: &[Handle],
        seq: Seq,
        begin: Begin,
        mut stage: impl FnMut(u32, Vec<u8>),
    ) -> Result<Option<Begin>, FileError> {
        let mut parts = Parts { number: begin.part, most: self.part_lines, ..Parts::default() };
        let mut open = Open { records: BTreeMap::new(), rows: 0, left: None };
        let reader = self.feed.reader(&mut file, self.today)?;
        for row in reader {
            let Row::Used { records, .. } = row? else { continue };
            for (id, entry) in records {
                let Entry::Present(mut content) = entry else { continue };
                let (record, handle) = self.handle(&id);
                if begin.from.is_some_and(|from| handle < from) || open.left.is_some_and(|left| handle >= left) {
                    continue;
                }
                let Some(said) = Named::find(&survey.said, handle).filter(|said| said.changed) else { continue };
                self.take_out_common(&mut content);
                let Some(rows) = open.add(handle, content, said) else { continue };
                let name = RecordId::new(self.feed.source.clone(), id);
                let content = self.definition.rows_together(rows, self.today);
                parts.add(&self.change(record, name, seq, Some(content)), &mut stage);
            }
        }
        if open.left.is_none() {
            for handle in removed {
                // The manifest knows handles only, so a removal does not say the record's name: matching goes by the handle.
                let Ok(handle) = RecordHandle::parse(&crate::manifest::hex(*handle)) else { continue };
                let nameless = RecordId::new(self.feed.source.clone(), "");
                parts.add(&self.change(handle, nameless, seq, None), &mut stage);
            }
        }
        let same = file.content() == survey.content && open.records.is_empty();
        Ok(same.then(|| Begin { from: open.left, part: parts.end(&mut stage) }))
    }

    fn change(&self, handle: RecordHandle, record: RecordId, seq: Seq, content: Option<Content>) -> Change {
        Change { handle, record, feed: self.feed.feed.clone(), seq, content }
    }

    fn take_out_common(&self, content: &mut Content) {
        if let Content::Person(details) = content {
            self.common.take_out(self.key, details);
        }
    }

    fn as_of(&self, content: &Content) -> Option<Date> {
        match content {
            Content::Person(details) => details.as_of.filter(|day| *day <= self.today),
            Content::Staff(_) => None,
        }
    }

    fn handle(&self, id: &str) -> (RecordHandle, Handle) {
        let staff = StaffId::parse(id).ok().filter(|_| self.feed.kind == FeedKind::Staff);
        let staff = staff.and_then(|staff| people::staff_handle(self.key, &staff));
        let handle = staff.unwrap_or_else(|| self.key.record(&RecordId::new(self.feed.source.clone(), id)));
        let bytes = from_hex(handle.as_str()).unwrap_or_default();
        (handle, bytes)
    }

    /// Keyed, because what few values a record has could be guessed from a plain hash.
    fn hash(&self, content: &Content) -> Hash {
        from_hex(&self.feed.content_hash(self.key, content)).unwrap_or_default()
    }
}

/// Where a reading of the changes begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Begin {
    /// The first record that has not been staged; `None` at the first reading, and after the last.
    pub(crate) from: Option<Handle>,
    /// The number of the next part.
    pub(crate) part: u32,
}

/// Records of which some rows are still to come.
struct Open {
    records: BTreeMap<Handle, Vec<Content>>,
    rows: usize,
    /// Records from here on are left to the next reading.
    left: Option<Handle>,
}

impl Open {
    /// Adds a row, and returns all of its record's when it was the last.
    fn add(&mut self, handle: Handle, content: Content, said: &Said) -> Option<Vec<Content>> {
        let rows = self.records.entry(handle).or_default();
        rows.push(content);
        self.rows += 1;
        if rows.len() >= said.rows as usize {
            let rows = self.records.remove(&handle)?;
            self.rows -= rows.len();
            return Some(rows);
        }
        // The upper half is left, but never the last one: each reading gets somewhere.
        if self.rows > MOST_OPEN && self.records.len() > 1 {
            let middle = self.records.keys().nth(self.records.len() / 2).copied()?;
            let left = self.records.split_off(&middle);
            self.rows -= left.values().map(Vec::len).sum::<usize>();
            self.left = Some(middle);
        }
        None
    }
}

/// Puts changes together into parts.
#[derive(Default)]
struct Parts {
    lines: Vec<u8>,
    count: usize,
    number: u32,
    most: usize,
}

impl Parts {
    fn add(&mut self, change: &Change, stage: &mut impl FnMut(u32, Vec<u8>)) {
        // Our own types are always JSON: this cannot fail.
        if serde_json::to_writer(&mut self.lines, change).is_ok() {
            self.lines.push(b'\n');
            self.count += 1;
        }
        if self.count >= self.most || self.lines.len() >= PART_BYTES {
            self.stage(stage);
        }
    }

    fn stage(&mut self, stage: &mut impl FnMut(u32, Vec<u8>)) {
        stage(self.number, std::mem::take(&mut self.lines));
        self.number += 1;
        self.count = 0;
    }

    fn end(mut self, stage: &mut impl FnMut(u32, Vec<u8>)) -> u32 {
        if self.count > 0 {
            self.stage(stage);
        }
        self.number
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
