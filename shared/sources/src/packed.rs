//! Files as they are packed: `.csv.gz`, a `.zip` with one CSV, and small Excel workbooks ([`workbook`](crate::workbook)).
//!
//! What a file is follows from its bytes, never from its name. Nothing is unpacked to disk and no name inside an
//! archive is ever used as a path. Whatever is packed, memory stays small: gzip and zip are streamed, and both how much
//! comes out and how much comes out of how little are bounded.

use crate::workbook;
use flate2::{Crc, Decompress, FlushDecompress, Status, bufread::MultiGzDecoder};
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// Most that a packed extract may come to. A council's largest is below one gigabyte.
const MOST_UNPACKED: u64 = 8 << 30;
/// How many times its packed size a file may come to. Extracts come to 5 to 20 times; a bomb to a thousand.
const MOST_RATIO: u64 = 200;
/// Below this nobody asks for the ratio: a small file of the same row again and again may pack very well.
const RATIO_FROM: u64 = 16 << 20;

/// Longest name of a file within an archive.
const LONGEST_NAME: usize = 1024;

/// Why a packed file cannot be read, and what its owner can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Packed {
    /// A password protects it.
    #[error(
        "The file is protected by a password, so it cannot be read. Send it without one: it is encrypted on its way and where it lies."
    )]
    Protected,
    /// Several files in one archive.
    #[error("The .zip holds more than one file. Send each file by itself, to the folder of its feed.")]
    SeveralFiles,
    /// An archive of nothing.
    #[error("The .zip holds no file. Send it again with the CSV in it, or the CSV itself.")]
    NoFile,
    /// Packed by a rare method.
    #[error(
        "The .zip is packed in a way that we do not read. Pack it with the usual settings, or send the CSV itself."
    )]
    Method,
    /// Far more comes out than can be an extract.
    #[error(
        "The file unpacks to far more than an extract can be, so it was not read. Send the CSV itself, without packing it."
    )]
    TooMuch,
    /// Broken.
    #[error("The packed file is damaged or was cut short. Send it again.")]
    Damaged,
    /// A workbook that is not small.
    #[error("The workbook is too large to be read. In Excel, save the sheet as CSV UTF-8, and send that.")]
    WorkbookTooLarge,
    /// A spreadsheet of a kind we do not read.
    #[error("This kind of spreadsheet is not read. Save the sheet as CSV UTF-8, and send that.")]
    OtherSpreadsheet,
    /// A workbook without the sheet that the definition names.
    #[error(
        "The workbook has no sheet of the name that the definition gives. Rename the sheet, or change \"sheet\" in the definition."
    )]
    NoSheet,
}

impl From<Packed> for io::Error {
    fn from(why: Packed) -> Self {
        Self::new(io::ErrorKind::InvalidData, why)
    }
}

impl Packed {
    /// The reason inside an error of reading, when it is one of these.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

/// How a file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zip,
    Workbook,
}

impl Packing {
    /// In words, before the encoding.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "gzip, ",
            Self::Zip => "zip, ",
            Self::Workbook => "",
        }
    }
}

/// A file and the bytes of it that were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A file as it was before it was packed.
pub(crate) enum Unpacked<R> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Counted<Whole<R>>>>>, u64),
    Zip(Box<Archive<Whole<R>>>),
    Workbook(Cursor<Vec<u8>>),
}

impl<R: Read> Unpacked<R> {
    /// Finds out how a file is packed. Reads no more than its start, but for a workbook, which is small.
    pub(crate) fn open(mut file: R, sheet: Option<&str>) -> io::Result<(Self, Packing)> {
        let mut start = Vec::new();
        file.by_ref().take(8).read_to_end(&mut start)?;
        let kind = start.clone();
        let whole = Cursor::new(start).chain(file);
        Ok(match kind.as_slice() {
            [0x1F, 0x8B, ..] => {
                (Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(Counted::new(whole)))), 0), Packing::Gzip)
            }
            // Before Excel 2007.
            [0xD0, 0xCF, 0x11, 0xE0, ..] => return Err(Packed::OtherSpreadsheet.into()),
            [b'P', b'K', 5, 6, ..] => return Err(Packed::NoFile.into()),
            [b'P', b'K', 3, 4, ..] => {
                let mut archive = Archive::new(whole);
                if archive.next_file()? && workbook::is_part(&archive.name) {
                    let csv = workbook::as_csv(&mut archive, sheet)?;
                    return Ok((Self::Workbook(Cursor::new(csv)), Packing::Workbook));
                }
                if archive.name == b"mimetype" {
                    return Err(Packed::OtherSpreadsheet.into());
                }
                if archive.ended {
                    return Err(Packed::NoFile.into());
                }
                (Self::Zip(Box::new(archive)), Packing::Zip)
            }
            _ => (Self::Plain(whole), Packing::None),
        })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Workbook(csv) => csv.read(buffer),
            Self::Gzip(file, unpacked) => {
                let read = file.read(buffer).map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                        Packed::Damaged.into()
                    }
                    _ => error,
                })?;
                *unpacked += read as u64;
                within_bounds(*unpacked, file.get_ref().get_ref().taken)?;
                Ok(read)
            }
            Self::Zip(_) if buffer.is_empty() => Ok(0),
            Self::Zip(archive) => {
                let read = archive.read(buffer)?;
                if read == 0 && archive.next_file()? {
                    return Err(Packed::SeveralFiles.into());
                }
                Ok(read)
            }
        }
    }
}

fn within_bounds(unpacked: u64, packed: u64) -> Result<(), Packed> {
    let fine = unpacked <= MOST_UNPACKED && (unpacked <= RATIO_FROM || unpacked <= packed.saturating_mul(MOST_RATIO));
    if fine { Ok(()) } else { Err(Packed::TooMuch) }
}

/// Counts what is taken of a file.
pub(crate) struct Counted<R> {
    file: R,
    taken: u64,
}

impl<R> Counted<R> {
    fn new(file: R) -> Self {
        Self { file, taken: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken += read as u64;
        Ok(read)
    }
}

/// A zip read from front to back, as it arrives: its list of contents stands at the end, and is not waited for.
pub(crate) struct Archive<R> {
    source: BufReader<Counted<R>>,
    pub(crate) name: Vec<u8>,
    body: Body,
    check: Crc,
    expected: Option<Expected>,
    unpacked: u64,
    /// No file is left.
    ended: bool,
}

enum Body {
    Stored(u64),
    Deflated(Box<Decompress>),
    Done,
}

/// What a file's header says of it, when it says it before the file.
struct Expected {
    crc: u32,
    size: u64,
}

const FILE: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTION: [u8; 4] = *b"PK\x07\x08";
/// The list of contents, or its end when there are no contents.
const CONTENTS: [[u8; 4]; 3] = [*b"PK\x01\x02", *b"PK\x05\x06", *b"PK\x06\x06"];

impl<R: Read> Archive<R> {
    fn new(file: R) -> Self {
        Self {
            source: BufReader::new(Counted::new(file)),
            name: Vec::new(),
            body: Body::Done,
            check: Crc::new(),
            expected: None,
            unpacked: 0,
            ended: false,
        }
    }

    /// Bytes that were taken of the archive so far.
    pub(crate) fn taken(&self) -> u64 {
        self.source.get_ref().taken
    }

    /// Goes to the next file. Folders, and what macOS adds, are passed over. `false` at the end.
    pub(crate) fn next_file(&mut self) -> io::Result<bool> {
        loop {
            io::copy(self, &mut io::sink())?;
            if self.ended || !self.next_header()? {
                self.ended = true;
                return Ok(false);
            }
            let last = self.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let no_file = last.is_empty() || last.starts_with(b"._") || last == b".DS_Store";
            if !no_file && !self.name.starts_with(b"__MACOSX/") {
                return Ok(true);
            }
        }
    }

    /// `false` when the list of contents begins.
    fn next_header(&mut self) -> io::Result<bool> {
        let signature = self.bytes::<4>()?;
        if CONTENTS.contains(&signature) {
            return Ok(false);
        }
        if signature != FILE {
            return Err(Packed::Damaged.into());
        }
        let header = self.bytes::<26>()?;
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (flags, method, crc) = (short(2), short(4), long(10));
        let (mut packed, mut size) = (u64::from(long(14)), u64::from(long(18)));
        let (name, extra) = (usize::from(short(22)), usize::from(short(24)));
        if name > LONGEST_NAME {
            return Err(Packed::Damaged.into());
        }
        self.name = vec![0; name];
        let mut extras = vec![0; extra];
        exactly(&mut self.source, &mut self.name)?;
        exactly(&mut self.source, &mut extras)?;
        if let Some((real_size, real_packed)) = large_sizes(&extras) {
            size = if size == u64::from(u32::MAX) { real_size } else { size };
            packed = if packed == u64::from(u32::MAX) { real_packed } else { packed };
        }
        // Bit 0 is the old encryption, bit 6 the strong one, bit 13 hides the header; method 99 is AES.
        if flags & 0x2041 != 0 || method == 99 {
            return Err(Packed::Protected.into());
        }
        let described_after = flags & 8 != 0;
        self.check = Crc::new();
        self.expected = (!described_after).then_some(Expected { crc, size });
        self.body = match method {
            0 if !described_after => Body::Stored(packed),
            8 => Body::Deflated(Box::new(Decompress::new(false))),
            _ => return Err(Packed::Method.into()),
        };
        Ok(true)
    }

    /// At the end of a file: is it what its header, or the description behind it, says?
    fn verify(&mut self, packed: u64) -> io::Result<()> {
        let (crc, size) = (self.check.sum(), u64::from(self.check.amount()));
        let holds = match self.expected.take() {
            // The checksum counts bytes in 32 bits.
            Some(expected) => expected.crc == crc && expected.size as u32 == size as u32,
            None => {
                let mut first = self.bytes::<4>()?;
                if first == DESCRIPTION {
                    first = self.bytes::<4>()?;
                }
                let sizes = self.bytes::<8>()?;
                let at = |at: usize| u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]);
                let short = at(0) == packed as u32 && at(4) == size as u32;
                // Of a large file both sizes take eight bytes: these were the packed one.
                let long = !short && at(0) == packed as u32 && {
                    let size_after = self.bytes::<8>()?;
                    size_after[..4] == (size as u32).to_le_bytes()
                };
                u32::from_le_bytes(first) == crc && (short || long)
            }
        };
        if holds { Ok(()) } else { Err(Packed::Damaged.into()) }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        exactly(&mut self.source, &mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Archive<R> {
    /// The bytes of the current file.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let (written, end) = match &mut self.body {
            Body::Done => return Ok(0),
            Body::Stored(0) => (0, Some(0)),
            Body::Stored(left) => {
                let most = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let read = self.source.read(&mut buffer[..most])?;
                if read == 0 {
                    return Err(Packed::Damaged.into());
                }
                *left -= read as u64;
                (read, None)
            }
            Body::Deflated(state) => loop {
                let input = self.source.fill_buf()?;
                let cut_short = input.is_empty();
                let (before_in, before_out) = (state.total_in(), state.total_out());
                let status = state.decompress(input, buffer, FlushDecompress::None).map_err(|_| Packed::Damaged)?;
                let (read, written) = (state.total_in() - before_in, (state.total_out() - before_out) as usize);
                self.source.consume(read as usize);
                if status == Status::StreamEnd {
                    break (written, Some(state.total_in()));
                }
                if written > 0 {
                    break (written, None);
                }
                if cut_short || read == 0 {
                    return Err(Packed::Damaged.into());
                }
            },
        };
        self.check.update(&buffer[..written]);
        self.unpacked += written as u64;
        within_bounds(self.unpacked, self.taken())?;
        if let Some(packed) = end {
            self.body = Body::Done;
            self.verify(packed)?;
        }
        Ok(written)
    }
}

fn exactly(source: &mut impl Read, bytes: &mut [u8]) -> io::Result<()> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Packed::Damaged.into(),
        _ => error,
    })
}

/// Unpacked and packed size of a file that is too large for the header's own fields.
fn large_sizes(mut extras: &[u8]) -> Option<(u64, u64)> {
    while let [kind, kind_high, length, length_high, rest @ ..] = extras {
        let length = usize::from(u16::from_le_bytes([*length, *length_high]));
        let (body, next) = rest.split_at_checked(length)?;
        if [*kind, *kind_high] == [1, 0] {
            let size = body.get(..8)?.try_into().ok().map(u64::from_le_bytes)?;
            let packed = body.get(8..16)?.try_into().ok().map(u64::from_le_bytes)?;
            return Some((size, packed));
        }
        extras = next;
    }
    None
}
