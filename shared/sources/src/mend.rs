//! Rejected rows as a CSV that their owner can mend and send again: agreed columns only, and nothing in it that a
//! spreadsheet would run.

use crate::{Reader, Row, cells::is_active};
use std::io::Read;

/// Most bytes of rejected rows: a file with more is mended at its source.
const MOST: usize = 8 << 20;

/// How the name of such a file ends. A file of this name changes the records it names and removes none.
pub const ENDING: &str = ".rejected.csv";

/// Whether a file holds mended rows, by its name.
#[must_use]
pub fn is_mended(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(ENDING)
}

/// Rejected rows being gathered.
#[derive(Debug, Clone, Default)]
pub struct Mend {
    csv: String,
    rows: u64,
    left_out: u64,
}

impl Mend {
    /// Begins with the headings of a file's agreed columns.
    #[must_use]
    pub fn new<R: Read>(reader: &Reader<'_, R>) -> Self {
        // With the mark Excel reads UTF-8 as such.
        let mut csv = "\u{feff}".to_owned();
        write_row(&mut csv, reader.agreed_columns().into_iter());
        Self { csv, rows: 0, left_out: 0 }
    }

    /// Takes a rejected row; any other is none of ours.
    pub fn add(&mut self, row: &Row) {
        let Row::Rejected { cells, .. } = row else { return };
        if cells.is_empty() || self.csv.len() > MOST {
            self.left_out += 1;
            return;
        }
        write_row(&mut self.csv, cells.iter().map(String::as_str));
        self.rows += 1;
    }

    /// Rejected rows that are not in it: too long to be read, or too many.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The CSV; `None` when no row is in it.
    #[must_use]
    pub fn csv(&self) -> Option<&str> {
        (self.rows > 0).then_some(self.csv.as_str())
    }
}

fn write_row<'a>(csv: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (position, cell) in cells.enumerate() {
        csv.push_str(if position > 0 { ",\"" } else { "\"" });
        // The apostrophe is what a spreadsheet itself uses to say "text"; reading the file takes it off again.
        if is_active(cell) {
            csv.push('\'');
        }
        csv.push_str(&cell.replace('"', "\"\""));
        csv.push('"');
    }
    csv.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::cleaned;

    #[test]
    fn no_cell_of_the_rejected_rows_is_run_by_a_spreadsheet_and_each_is_read_back_as_it_was() {
        for cell in [
            "=1+1",
            "+44 7700 900123",
            "-",
            "@SUM(A1)",
            "＝HYPERLINK(\"http://evil.example\")",
            "＋1",
            "－1",
            "＠a",
            "﹦1",
            "−1",
            " =1+1",
            "\u{feff}=1+1",
            "\u{200b}＝1",
            "\t=1+1",
            "\r=1+1",
            "\n=1+1",
            "\tx",
        ] {
            let mut csv = String::new();
            write_row(&mut csv, [cell].into_iter());
            assert!(csv.starts_with("\"'"), "{csv:?}");
            assert_eq!(cleaned(&format!("'{cell}"), false), cleaned(cell, false), "{cell:?}");
        }
        for cell in ["O'Neill", "'Ohana", "12-14 Mill Lane", "a@b.uk", "", "Zoë"] {
            let mut csv = String::new();
            write_row(&mut csv, [cell].into_iter());
            assert_eq!(csv, format!("\"{cell}\"\r\n"));
        }
    }
}
