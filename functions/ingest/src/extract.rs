//! Reading an extract, twice at most, without ever holding it.
//!
//! The first reading keeps of each record a handle and a hash ([`Said`]): about 60 bytes a record, 90 MB for 1.5
//! million. When that shows that something changed, the second reading makes the changes, and holds one part under way
//! and those records of which some rows are still to come: files that keep a record's rows together cost nothing here.

use crate::{
    manifest::{Handle, Hash, from_hex},
    plan::Said,
    report::Rejection,
};
use fc_model::{Change, Content, Date, HandleKey, RecordHandle, RecordId, Seq, StaffId};
use fc_sources::{Definition, Entry, Feed, FeedKind, FileError, Report, Row};
use fc_store::{StoreError, bucket::Object, people};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
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

/// What to read, and as what.
pub(crate) struct Extract<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) feed: &'a Feed,
    pub(crate) key: &'a HandleKey,
    /// Decides what a two-digit year means and what is in the future.
    pub(crate) today: Date,
    /// Changes in a part.
    pub(crate) part_lines: usize,
}

/// What the first reading found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// SHA-256 of the bytes.
    pub(crate) content: String,
    /// What the file says of each record.
    pub(crate) said: HashMap<Handle, Said>,
    /// What became of its rows, and how good they are; `None` when none could be read.
    pub(crate) reading: Option<Report>,
    pub(crate) rejected: Vec<Rejection>,
    /// Latest as-of date in the rows that is not in the future.
    pub(crate) latest: Option<Date>,
    /// Why the file as a whole cannot be used.
    pub(crate) fault: Option<FileError>,
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
    /// First reading: what the file says of whom, and how good it is.
    pub(crate) fn survey(&self, mut file: Arriving) -> Survey {
        let mut survey = Survey::default();
        survey.fault = self.survey_rows(&mut file, &mut survey).err();
        survey.content = file.content();
        survey
    }

    fn survey_rows(&self, file: &mut Arriving, survey: &mut Survey) -> Result<(), FileError> {
        let mut reader = self.feed.reader(file, self.today)?;
        let report = survey.reading.insert(Report::new(&reader));
        for row in reader.by_ref() {
            let row = row?;
            report.add(&row);
            match row {
                Row::Used { records, .. } => {
                    for (id, entry) in records {
                        let said = survey.said.entry(self.handle(&id).1).or_default();
                        match entry {
                            Entry::Gone => said.deleted = true,
                            Entry::Present(content) => {
                                said.add(self.hash(&content));
                                survey.latest = survey.latest.max(self.as_of(&content));
                            }
                        }
                    }
                }
                Row::Skipped { .. } => {}
                Row::Rejected { line, id, column, reason, .. } => {
                    if let Some(id) = id {
                        survey.said.entry(self.handle(&id).1).or_default().rejected = true;
                    }
                    if survey.rejected.len() < LISTED {
                        survey.rejected.push(Rejection { line, column, reason: reason.words().to_owned() });
                    }
                }
            }
        }
        report.finish(&reader);
        Ok(())
    }

    /// Second reading: the changes, in parts, each given to `stage` with its number. Returns how many parts, or `None`
    /// when the file is not the one that was surveyed.
    pub(crate) fn changes(
        &self,
        mut file: Arriving,
        survey: &Survey,
        removed: &[Handle],
        seq: Seq,
        mut stage: impl FnMut(u32, Vec<u8>),
    ) -> Result<Option<u32>, FileError> {
        let mut parts = Parts { most: self.part_lines, ..Parts::default() };
        let mut open: HashMap<Handle, Vec<Content>> = HashMap::new();
        let reader = self.feed.reader(&mut file, self.today)?;
        for row in reader {
            let Row::Used { records, .. } = row? else { continue };
            for (id, entry) in records {
                let Entry::Present(content) = entry else { continue };
                let (record, handle) = self.handle(&id);
                let Some(said) = survey.said.get(&handle).filter(|said| said.changed) else { continue };
                let rows = open.entry(handle).or_default();
                rows.push(content);
                if rows.len() < said.rows as usize {
                    continue;
                }
                let rows = open.remove(&handle).unwrap_or_default();
                let record = (record, RecordId::new(self.feed.source.clone(), id));
                parts.add(
                    &self.change(record.0, record.1, seq, Some(self.definition.rows_together(rows, self.today))),
                    &mut stage,
                );
            }
        }
        for handle in removed {
            // The manifest knows handles only, so a removal does not say the record's name: matching goes by the handle.
            let Ok(handle) = RecordHandle::parse(&crate::manifest::hex(*handle)) else { continue };
            let nameless = RecordId::new(self.feed.source.clone(), "");
            parts.add(&self.change(handle, nameless, seq, None), &mut stage);
        }
        let same = file.content() == survey.content && open.is_empty();
        Ok(same.then(|| parts.end(&mut stage)))
    }

    fn change(&self, handle: RecordHandle, record: RecordId, seq: Seq, content: Option<Content>) -> Change {
        Change { handle, record, feed: self.feed.feed.clone(), seq, content }
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
