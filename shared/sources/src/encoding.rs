//! From bytes to UTF-8 text: byte order marks, UTF-16, Windows-1252, and cells that were decoded wrongly before us.

use crate::packed::{Packing, Unpacked};
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::{
    borrow::Cow,
    io::{self, Read},
};

/// How much of a file is looked at to find out its encoding and delimiter.
pub(crate) const LOOK_AHEAD: usize = 64 * 1024;

/// Raw bytes decoded at a time.
const CHUNK: usize = 16 * 1024;

/// An encoding of extract files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl Encoding {
    pub(crate) const NAMES: [&'static str; 4] = ["utf-8", "utf-16le", "utf-16be", "windows-1252"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "utf-16le" | "utf-16" | "utf16" => Some(Self::Utf16Le),
            "utf-16be" => Some(Self::Utf16Be),
            "windows-1252" | "cp1252" | "latin-1" | "iso-8859-1" => Some(Self::Windows1252),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 (little endian)",
            Self::Utf16Be => "UTF-16 (big endian)",
            Self::Windows1252 => "Windows-1252",
        }
    }

    /// A byte order mark settles it; then the declaration, unless the bytes cannot be that; then what they look like.
    /// Returns the encoding and the length of its mark.
    pub(crate) fn of(start: &[u8], declared: Option<Self>) -> (Self, usize) {
        match start {
            [0xEF, 0xBB, 0xBF, ..] => return (Self::Utf8, 3),
            [0xFF, 0xFE, ..] => return (Self::Utf16Le, 2),
            [0xFE, 0xFF, ..] => return (Self::Utf16Be, 2),
            _ => {}
        }
        // Text in Latin letters has a zero in every other byte of UTF-16, and none at all elsewhere.
        let sample = &start[..start.len().min(512)];
        let zeros = |parity: usize| sample.iter().skip(parity).step_by(2).filter(|b| **b == 0).count();
        let many = sample.len() / 4;
        if sample.len() >= 4 && zeros(1) > many && zeros(0) <= many / 4 {
            return (Self::Utf16Le, 0);
        }
        if sample.len() >= 4 && zeros(0) > many && zeros(1) <= many / 4 {
            return (Self::Utf16Be, 0);
        }
        let found = match std::str::from_utf8(start) {
            Ok(_) => Self::Utf8,
            // The sample may end within a character.
            Err(error) if error.error_len().is_none() => Self::Utf8,
            Err(_) => Self::Windows1252,
        };
        match declared {
            Some(declared @ (Self::Utf8 | Self::Windows1252)) => (declared, 0),
            // Declared UTF-16, but it does not look like it.
            _ => (found, 0),
        }
    }

    /// Text of a cell. UTF-16 has become UTF-8 before; a cell that is not valid UTF-8 is read as Windows-1252, so that
    /// one stray byte stops nothing.
    pub(crate) fn text(self, cell: &[u8]) -> Cow<'_, str> {
        let text = match (self, std::str::from_utf8(cell)) {
            (Self::Windows1252, _) | (_, Err(_)) => WINDOWS_1252.decode_without_bom_handling(cell).0,
            (_, Ok(text)) => Cow::Borrowed(text),
        };
        // In a file of mixed encodings a cell may have been read wrongly twice.
        match mended(&text) {
            Some(once) => Cow::Owned(mended(&once).unwrap_or(once)),
            None => text,
        }
    }
}

/// Undoes UTF-8 that someone read as Windows-1252 (`PÃ¡draig`): if the text goes back to bytes that are valid UTF-8 with
/// at least one accent, that is what it was. Text that was read rightly never does.
fn mended(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let (bytes, _, unmappable) = WINDOWS_1252.encode(text);
    if unmappable {
        return None;
    }
    std::str::from_utf8(&bytes).ok().map(str::to_owned)
}

/// A file that was opened: what it is, and its start as text.
pub(crate) struct Opened<R> {
    pub(crate) input: Input<R>,
    pub(crate) encoding: Encoding,
    pub(crate) packing: Packing,
    pub(crate) start: Vec<u8>,
}

/// A file as UTF-8 or single-byte text.
pub(crate) struct Input<R> {
    start: io::Cursor<Vec<u8>>,
    rest: Unpacked<R>,
    decoder: Option<Decoder>,
    decoded: Vec<u8>,
    given: usize,
    ended: bool,
    after_return: bool,
    pub(crate) last_byte: Option<u8>,
}

impl<R: Read> Input<R> {
    /// Reads the start of a file and finds out how it is packed and encoded.
    pub(crate) fn open(file: R, declared: Option<Encoding>, sheet: Option<&str>) -> io::Result<Opened<R>> {
        let (mut file, packing) = Unpacked::open(file, sheet)?;
        let declared = if packing == Packing::Workbook { Some(Encoding::Utf8) } else { declared };
        let mut start = Vec::new();
        file.by_ref().take(LOOK_AHEAD as u64).read_to_end(&mut start)?;
        let (encoding, mark) = Encoding::of(&start, declared);
        let mut cursor = io::Cursor::new(start);
        cursor.set_position(mark as u64);
        let sample = &cursor.get_ref()[mark..];
        let (decoder, sample) = match encoding {
            Encoding::Utf16Le => (
                Some(UTF_16LE.new_decoder_without_bom_handling()),
                UTF_16LE.decode_without_bom_handling(sample).0.into_owned().into_bytes(),
            ),
            Encoding::Utf16Be => (
                Some(UTF_16BE.new_decoder_without_bom_handling()),
                UTF_16BE.decode_without_bom_handling(sample).0.into_owned().into_bytes(),
            ),
            _ => (None, sample.to_vec()),
        };
        let input = Self {
            start: cursor,
            rest: file,
            decoder,
            decoded: Vec::new(),
            given: 0,
            ended: false,
            after_return: false,
            last_byte: None,
        };
        Ok(Opened { input, encoding, packing, start: sample })
    }

    fn read_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.start.read(buffer)?;
        if read > 0 { Ok(read) } else { self.rest.read(buffer) }
    }

    fn read_decoded(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() && !self.ended {
            let mut raw = vec![0; CHUNK];
            let read = self.read_raw(&mut raw)?;
            self.ended = read == 0;
            let Some(decoder) = self.decoder.as_mut() else { return Ok(0) };
            let most = decoder.max_utf8_buffer_length(read).unwrap_or(CHUNK * 4);
            self.decoded.resize(most, 0);
            let (_, _, written, _) = decoder.decode_to_utf8(&raw[..read], &mut self.decoded, self.ended);
            self.decoded.truncate(written);
            self.given = 0;
        }
        let read = buffer.len().min(self.decoded.len() - self.given);
        buffer[..read].copy_from_slice(&self.decoded[self.given..self.given + read]);
        self.given += read;
        Ok(read)
    }
}

impl<R: Read> Read for Input<R> {
    /// Line ends of every kind become `\n`, so that line numbers are those an editor shows.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = if self.decoder.is_some() { self.read_decoded(buffer)? } else { self.read_raw(buffer)? };
            let mut kept = 0;
            for at in 0..read {
                let byte = buffer[at];
                if byte == b'\n' && std::mem::take(&mut self.after_return) {
                    continue;
                }
                self.after_return = byte == b'\r';
                buffer[kept] = if self.after_return { b'\n' } else { byte };
                kept += 1;
            }
            if kept > 0 || read == 0 {
                if kept > 0 {
                    self.last_byte = Some(buffer[kept - 1]);
                }
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_found_out_from_the_bytes() {
        assert_eq!(Encoding::of(b"\xEF\xBB\xBFa", None), (Encoding::Utf8, 3));
        assert_eq!(Encoding::of("Siân".as_bytes(), None), (Encoding::Utf8, 0));
        assert_eq!(Encoding::of(b"Si\xE2n,1", None), (Encoding::Windows1252, 0));
        assert_eq!(Encoding::of(b"\xFF\xFEa\0", Some(Encoding::Utf8)), (Encoding::Utf16Le, 2), "a mark settles it");
        assert_eq!(Encoding::of(b"i\0d\0,\0n\0", None), (Encoding::Utf16Le, 0));
        assert_eq!(Encoding::of(b"\0i\0d\0,\0n", None), (Encoding::Utf16Be, 0));
        assert_eq!(Encoding::of(b"id,n", Some(Encoding::Utf16Le)), (Encoding::Utf8, 0), "declared, but it is not");
    }

    #[test]
    fn one_stray_byte_stops_nothing() {
        assert_eq!(Encoding::Utf8.text(b"Jos\xE9"), "José");
    }

    #[test]
    fn names_that_were_decoded_wrongly_are_mended() {
        assert_eq!(Encoding::Utf8.text("O'Donnell PÃ¡draig".as_bytes()), "O'Donnell Pádraig");
        assert_eq!(Encoding::Utf8.text("VladimÃ\u{ad}r PaweÅ‚".as_bytes()), "Vladimír Paweł");
        assert_eq!(Encoding::Windows1252.text(b"P\xC3\xA1draig"), "Pádraig");
        for right in ["Sinéad", "Dąbrowski", "O’Brien", "Çelik", "Zoë"] {
            assert_eq!(Encoding::Utf8.text(right.as_bytes()), right);
        }
    }
}
