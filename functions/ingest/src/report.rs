//! The load report: what the source's owner reads to learn what was accepted, what was not, and what to do.
//!
//! It says where and why, never what: no value of a cell gets here.

use crate::{chart, plan::Records};
use fc_model::{FeedId, SourceId};
use fc_sources::Skip;
use fc_store::loads::{LoadId, LoadState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write};

/// Rejected rows shown on the page; the JSON has them all.
const SHOWN: usize = 200;
/// Earlier loads that a report remembers: a month of nights.
const REMEMBERED: usize = 30;

/// Everything about one load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The source; `unrecognised` when the file's place names none.
    pub source: SourceId,
    /// The feed.
    pub feed: FeedId,
    /// The load.
    pub load: LoadId,
    /// The file, as its owner named it.
    pub file: String,
    /// When it was uploaded.
    pub uploaded: Timestamp,
    /// When this report was written.
    pub written: Timestamp,
    /// What came of it.
    pub state: LoadState,
    /// When its content was true in the source.
    pub as_of: Option<Timestamp>,
    /// What happened and what to do, a sentence each.
    pub words: Vec<String>,
    /// Encoding and delimiter, as found.
    pub format: String,
    /// What became of the rows: read = used + skipped + rejected.
    pub rows: Rows,
    /// What became of the records.
    pub records: Records,
    /// Rejected rows.
    pub rejected: Vec<Rejection>,
    /// The key of the rejected rows in the bucket of reports, to be mended and sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_file: Option<String>,
    /// Whether rejected rows may not be sent by themselves, because a record of the feed may have several rows.
    #[serde(default)]
    pub mend_in_whole: bool,
    /// Values that were blanked, by column and reason.
    pub blanked: Vec<Blanked>,
    /// Columns of which at least half cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// How full each column was: what the feed's next file is laid beside. A delta hands on what it was laid beside itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// How good the data is.
    pub quality: Vec<Measure>,
    /// Columns that nothing was agreed about: dropped on reading.
    pub columns_ignored: Vec<String>,
    /// Columns of the definition that the file does not have.
    pub columns_missing: Vec<String>,
    /// The feed's loads before this one, oldest first.
    #[serde(default)]
    pub history: Vec<Past>,
    /// Milliseconds it took to read and compare.
    pub milliseconds: i64,
}

/// How full the columns of a file were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Rows that were used or rejected.
    pub rows: u64,
    /// Whether the file was a whole extract.
    pub whole: bool,
    /// Cells that held something, by the column's first heading in the definition.
    pub columns: BTreeMap<String, u64>,
}

impl Fill {
    /// What was counted while a file was read.
    pub(crate) fn of(reading: &fc_sources::Report, whole: bool) -> Self {
        let columns = reading.columns.iter().map(|column| (column.column.clone(), column.filled)).collect();
        Self { rows: reading.used + reading.rejected, whole, columns }
    }

    /// What the next file is laid beside: the last whole extract, else the largest file there was.
    pub(crate) fn or_before(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) if !self.whole && (before.whole || before.rows > self.rows) => before.clone(),
            _ => self,
        }
    }
}

/// How good an earlier load of the feed was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The load.
    pub load: LoadId,
    /// When its file was uploaded.
    pub uploaded: Timestamp,
    /// Its measures.
    pub quality: Vec<Measure>,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Rows below the header.
    pub read: u64,
    /// Rows that gave records.
    pub used: u64,
    /// Skipped: all cells empty.
    pub blank: u64,
    /// Skipped: the header again.
    pub repeated_header: u64,
    /// Skipped: totals, and other lines that end a report.
    pub totals: u64,
    /// Rejected.
    pub rejected: u64,
}

impl Rows {
    pub(crate) fn of(reading: &fc_sources::Report) -> Self {
        let skipped = |reason| reading.skipped.get(&reason).copied().unwrap_or_default();
        Self {
            read: reading.rows,
            used: reading.used,
            blank: skipped(Skip::Blank),
            repeated_header: skipped(Skip::RepeatedHeader),
            totals: skipped(Skip::Totals),
            rejected: reading.rejected,
        }
    }

    /// Whether every row is accounted for.
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.read == self.used + self.blank + self.repeated_header + self.totals + self.rejected
    }
}

/// A row that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Line of the file, from 1.
    pub line: u64,
    /// The column at fault.
    pub column: String,
    /// Why.
    pub reason: String,
}

/// Values of one column that were blanked, or doubted, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blanked {
    /// The column.
    pub column: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub cells: u64,
    /// The first few lines with one.
    pub lines: Vec<u64>,
}

/// A share: of so many, so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What is measured, in words.
    pub name: String,
    /// For how many it holds.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

impl Measure {
    /// The share in percent.
    fn percent(&self) -> f64 {
        self.count as f64 * 100.0 / self.of.max(1) as f64
    }
}

impl Report {
    /// Takes over what was found while reading the file.
    pub(crate) fn add_reading(&mut self, reading: &fc_sources::Report) {
        self.format.clone_from(&reading.format);
        self.rows = Rows::of(reading);
        let blanked = reading.blanked.iter().map(|blanked| Blanked {
            column: blanked.column.clone(),
            reason: blanked.reason.words().to_owned(),
            cells: blanked.count,
            lines: blanked.lines.clone(),
        });
        self.blanked = blanked.collect();
        self.unread = reading.unread.iter().map(|unread| unread.column.clone()).collect();
        let measure = |measure: &fc_sources::report::Measure| Measure {
            name: measure.name.to_owned(),
            count: measure.count,
            of: measure.of,
        };
        self.quality = reading.quality.iter().map(measure).collect();
        self.columns_ignored.clone_from(&reading.columns_ignored);
        self.columns_missing.clone_from(&reading.columns_missing);
    }

    /// Takes over the history of the report that was written before this one, which may be of the same load.
    pub(crate) fn after(mut self, before: Option<Self>) -> Self {
        let Some(before) = before else { return self };
        self.history = before.history;
        if !before.quality.is_empty() {
            self.history.push(Past { load: before.load, uploaded: before.uploaded, quality: before.quality });
        }
        self.history.retain(|past| past.load != self.load);
        self.history.sort_by(|one, next| one.load.cmp(&next.load));
        self.history.drain(..self.history.len().saturating_sub(REMEMBERED));
        self
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// As a page that needs nothing but itself.
    pub(crate) fn html(&self) -> Vec<u8> {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_html(&mut page);
        page.into_bytes()
    }

    fn write_html(&self, page: &mut String) -> std::fmt::Result {
        let title = format!("Load report: {} / {}", self.source, self.feed);
        write!(
            page,
            "<!doctype html><html lang=\"en-GB\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style>\
             </head><body><main><h1>{title}</h1><p class=\"state\"><strong>{}</strong></p>",
            state_words(self.state)
        )?;
        for words in &self.words {
            write!(page, "<p>{}</p>", escaped(words))?;
        }
        page.push_str("<h2>The file</h2>");
        let time = |time: Timestamp| time.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
        let mut facts = vec![("Name", printable(&self.file)), ("Uploaded", time(self.uploaded))];
        if let Some(as_of) = self.as_of {
            facts.push(("True in the source on", time(as_of)));
        }
        facts.extend([("Report written", time(self.written)), ("Load", self.load.to_string())]);
        if !self.format.is_empty() {
            facts.push(("Read as", self.format.clone()));
        }
        list(page, facts.into_iter())?;
        if self.rows.read == 0 {
            page.push_str("</main></body></html>");
            return Ok(());
        }
        let (rows, records) = (&self.rows, &self.records);
        page.push_str("<h2>Rows</h2>");
        counts(
            page,
            "Every row of the file",
            &[
                ("Used", rows.used),
                ("Skipped: blank", rows.blank),
                ("Skipped: header repeated", rows.repeated_header),
                ("Skipped: totals and other ends of a report", rows.totals),
                ("Rejected", rows.rejected),
                ("All", rows.read),
            ],
        )?;
        page.push_str("<h2>Records</h2>");
        counts(
            page,
            "What the file changes",
            &[
                ("In the feed before", records.before),
                ("Added", records.added),
                ("Changed", records.changed),
                ("Unchanged", records.unchanged),
                ("Kept as they were, because a row was rejected", records.kept_stale),
                ("Removed", records.removed),
                ("Removal waits, because a rejected row's record id cannot be read", records.removals_waiting),
                ("In the feed after", records.after),
            ],
        )?;
        if !self.rejected.is_empty() {
            page.push_str("<h2>Rejected rows</h2>");
            if rows.rejected > SHOWN as u64 {
                write!(page, "<p>The first {SHOWN} of {}. The JSON report lists more.</p>", rows.rejected)?;
            }
            if let Some(file) = &self.rejected_file {
                write!(
                    page,
                    "<p>The rows are in <strong>{file}</strong>, in the bucket of this report, with their agreed columns and for \
                     14 days. "
                )?;
                if self.mend_in_whole {
                    page.push_str(
                        "A record of this feed may have several rows, and a file of some of them would replace the others: \
                         mend the rows in the whole extract and send that.</p>",
                    );
                } else {
                    write!(
                        page,
                        "Mend them there and send the file again to {}/{}/ under a name that ends in <strong>{}</strong>: it \
                         changes the records it names and removes none.</p>",
                        self.source,
                        self.feed,
                        fc_sources::mend::ENDING
                    )?;
                }
            }
            let cells = self
                .rejected
                .iter()
                .take(SHOWN)
                .map(|row| [row.line.to_string(), row.column.clone(), row.reason.clone()]);
            table(page, "Rows that could not be used", ["Line", "Column", "Reason"], cells)?;
        }
        if !self.blanked.is_empty() {
            page.push_str("<h2>Values left out</h2>");
            let cells =
                self.blanked.iter().map(|b| [b.column.clone(), b.reason.clone(), b.cells.to_string(), join(&b.lines)]);
            table(
                page,
                "Values that were blanked or doubted; their rows were used",
                ["Column", "Reason", "Cells", "First lines"],
                cells,
            )?;
        }
        self.write_quality(page)?;
        for (title, columns) in [
            ("Columns not read: nothing was agreed about them", &self.columns_ignored),
            ("Columns that the definition has and the file has not", &self.columns_missing),
        ] {
            if !columns.is_empty() {
                write!(page, "<h2>{title}</h2><ul>")?;
                for column in columns {
                    write!(page, "<li>{}</li>", escaped(column))?;
                }
                page.push_str("</ul>");
            }
        }
        page.push_str("</main></body></html>");
        Ok(())
    }

    fn write_quality(&self, page: &mut String) -> std::fmt::Result {
        if self.quality.is_empty() {
            return Ok(());
        }
        page.push_str("<h2>Quality</h2>");
        let rows = self.quality.iter().map(|measure| {
            let share = format!("{:.1}%", measure.percent());
            [measure.name.clone(), measure.count.to_string(), measure.of.to_string(), share]
        });
        table(page, "How complete and valid the data is", ["What", "Count", "Of", "Share"], rows)?;
        self.write_quality_over_time(page)
    }

    /// A small chart for each measure; the words beside it say the same.
    fn write_quality_over_time(&self, page: &mut String) -> std::fmt::Result {
        if self.history.is_empty() {
            return Ok(());
        }
        write!(
            page,
            "<h2>Quality over time</h2><p>This file and the {} before it, oldest on the left. A chart goes from 0% at the \
             bottom to 100% at the top.</p><ul class=\"charts\">",
            self.history.len()
        )?;
        for measure in &self.quality {
            let earlier =
                self.history.iter().map(|past| past.quality.iter().find(|earlier| earlier.name == measure.name));
            let shares: Vec<Option<f64>> = earlier
                .chain([Some(measure)])
                .map(|measure| measure.filter(|m| m.of > 0).map(Measure::percent))
                .collect();
            chart::write(page, &measure.name, &shares)?;
        }
        page.push_str("</ul>");
        Ok(())
    }
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;margin:1rem;color:#111}main{max-width:60rem;margin:auto}\
table{border-collapse:collapse;margin:1rem 0;width:100%}caption{text-align:left;font-weight:bold}\
th,td{border-bottom:1px solid #767676;text-align:left;padding:.3rem .6rem .3rem 0;vertical-align:top}dt{font-weight:bold}\
.state{border-left:.5rem solid #1d5fa8;padding:.5rem 1rem;background:#f2f5f9}\
.charts{list-style:none;padding:0}.charts li{display:flex;flex-wrap:wrap;gap:1rem;align-items:center;margin:.5rem 0}\
.charts svg{width:12rem;height:3rem;border:1px solid #767676}";

fn state_words(state: LoadState) -> &'static str {
    match state {
        LoadState::Received | LoadState::Waiting => "Waiting for its turn.",
        LoadState::Refused => "Not used. Nothing has changed.",
        LoadState::Duplicate => "The same as last time. Nothing to change.",
        LoadState::Superseded => "Older than what is in use. Nothing has changed.",
        LoadState::Held => "Held: a person must look at it. The last good extract stays in use.",
        LoadState::Rejected => "Held, and then rejected by a person. Nothing has changed.",
        LoadState::Applying => "Accepted. The changes are being applied.",
        LoadState::Applied => "Accepted and applied.",
    }
}

fn counts(page: &mut String, caption: &str, rows: &[(&str, u64)]) -> std::fmt::Result {
    table(page, caption, ["What", "How many"], rows.iter().map(|(what, count)| [(*what).to_owned(), count.to_string()]))
}

fn table<const N: usize>(
    page: &mut String,
    caption: &str,
    headings: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> std::fmt::Result {
    write!(page, "<table><caption>{caption}</caption><thead><tr>")?;
    for heading in headings {
        write!(page, "<th scope=\"col\">{heading}</th>")?;
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            write!(page, "<td>{}</td>", escaped(&cell))?;
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table>");
    Ok(())
}

fn list<'a>(page: &mut String, facts: impl Iterator<Item = (&'a str, String)>) -> std::fmt::Result {
    page.push_str("<dl>");
    for (term, fact) in facts {
        write!(page, "<dt>{term}</dt><dd>{}</dd>", escaped(&fact))?;
    }
    page.push_str("</dl>");
    Ok(())
}

fn join(lines: &[u64]) -> String {
    lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// Other people's text for a line of ours: what would steer a terminal, or turn the line's direction, is shown as `?`.
#[must_use]
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '?' } else { c }).collect()
}

/// File names and column headings are other people's text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(file: &str) -> Report {
        let at = "2026-03-02T01:00:00Z".parse().unwrap();
        Report {
            source: "housing".parse().unwrap(),
            feed: "people".parse().unwrap(),
            load: LoadId::new(at, "ff"),
            file: file.to_owned(),
            uploaded: at,
            written: at,
            state: LoadState::Held,
            as_of: Some(at),
            words: vec!["5 of 9 records would go.".into()],
            format: "UTF-8, commas".into(),
            rows: Rows { read: 5, used: 4, rejected: 1, ..Rows::default() },
            records: Records::default(),
            rejected: vec![Rejection { line: 3, column: "PERSON_REF".into(), reason: "no record id".into() }],
            rejected_file: Some("rejected/housing/people/20260302T010000000Z-ff.rejected.csv".into()),
            mend_in_whole: false,
            blanked: Vec::new(),
            unread: Vec::new(),
            fill: None,
            quality: vec![Measure { name: "valid postcodes".into(), count: 1, of: 4 }],
            columns_ignored: vec!["Ethnicity".into()],
            columns_missing: Vec::new(),
            history: Vec::new(),
            milliseconds: 3,
        }
    }

    #[test]
    fn the_owner_reads_where_and_why_a_row_was_rejected() {
        let page = String::from_utf8(report("housing/march.csv").html()).unwrap();
        for words in
            ["lang=\"en-GB\"", "Held: a person must look at it", "5 of 9 records", "PERSON_REF", "25.0%", "Ethnicity"]
        {
            assert!(page.contains(words), "{words} in {page}");
        }
    }

    #[test]
    fn a_file_name_cannot_put_markup_on_the_page() {
        let page = String::from_utf8(report("<script>alert(1)</script>.csv").html()).unwrap();
        assert!(!page.contains("<script") && page.contains("&lt;script"));
    }

    #[test]
    fn a_file_name_cannot_steer_a_terminal_or_forge_a_line() {
        let name = "a\u{1b}[2K\r\nhousing/people\u{7f}\u{9b}1m\u{202e}vsc.csv";
        assert_eq!(printable(name), "a?[2K??housing/people??1m?vsc.csv");
        assert_eq!(printable("März – Anne’s.csv"), "März – Anne’s.csv");
        let page = String::from_utf8(report(name).html()).unwrap();
        assert!(page.contains("<dd>a?[2K??housing/people??1m?vsc.csv</dd>"), "{page}");
    }

    #[test]
    fn rejected_rows_are_not_offered_to_be_sent_where_a_record_may_have_several() {
        let page =
            |mend_in_whole| String::from_utf8(Report { mend_in_whole, ..report("housing/march.csv") }.html()).unwrap();
        assert!(page(false).contains("send the file again to housing/people/"));
        assert!(
            page(true).contains("mend the rows in the whole extract") && !page(true).contains("send the file again")
        );
    }

    #[test]
    fn a_staged_report_is_read_back_whole() {
        let report = report("housing/march.csv");
        let read: Report = serde_json::from_slice(&report.json()).unwrap();
        assert_eq!(read.json(), report.json());
    }

    /// The report of a night's load, in which so many of ten postcodes are valid.
    fn night(night: i64, valid: u64) -> Report {
        let at = report("").uploaded + jiff::SignedDuration::from_hours(24 * night);
        let quality = vec![Measure { name: "valid postcodes".into(), count: valid, of: 10 }];
        Report { load: LoadId::new(at, "ff"), uploaded: at, quality, ..report("housing/night.csv") }
    }

    #[test]
    fn quality_is_shown_over_time_and_told_in_words() {
        let first = night(1, 4).after(None);
        assert!(!String::from_utf8(first.html()).unwrap().contains("<svg"), "nothing to compare with yet");
        let second = night(2, 7).after(Some(first));
        let refused = Report { quality: Vec::new(), ..night(3, 0) }.after(Some(second));
        let third = night(4, 9).after(Some(refused));
        let page = String::from_utf8(third.html()).unwrap();
        for words in ["This file and the 2 before it", "<svg role=\"img\"", "valid postcodes: 40.0%, 70.0%, now 90.0%"]
        {
            assert!(page.contains(words), "{words} in {page}");
        }
        assert!(!page.contains("<script"));
    }

    #[test]
    fn a_load_that_is_told_twice_counts_once_and_a_month_is_remembered() {
        let mut latest = night(0, 1).after(None);
        for number in 1..40 {
            latest = night(number, 5).after(Some(latest));
            latest = night(number, 6).after(Some(latest));
        }
        assert_eq!(latest.history.len(), REMEMBERED);
        assert!(latest.history.iter().all(|past| past.load < latest.load && past.quality[0].count == 6));
        let late = night(38, 7).after(Some(latest));
        assert_eq!(late.history.iter().filter(|past| past.load == late.load).count(), 0, "finished after a newer one");
    }
}
