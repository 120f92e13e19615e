//! Walks a parsed TOML file, remembering every mistake with its line instead of stopping at the first.

use crate::Problem;
use jiff::civil::Date;
use std::{cell::RefCell, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// How alike a misspelt key and a known one must be (Jaro-Winkler) before we suggest it: "titel" and "title" are .95.
const ALIKE: f64 = 0.8;

/// A file being read, and the mistakes found in it so far.
pub(crate) struct File<'a> {
    name: &'a str,
    text: &'a str,
    line_ends: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> File<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).collect();
        Self { name, text, line_ends, problems: RefCell::default() }
    }

    /// Parses the text, noting what is not TOML.
    pub(crate) fn parse(&self) -> Spanned<DeTable<'a>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map(|span| self.line(span));
            self.note(
                line,
                format!("This is not TOML: {}.", error.message().trim_end_matches('.')),
                "Compare the line with its neighbours; quotes and brackets come in pairs, and a key is given once.",
            );
        }
        table
    }

    pub(crate) fn line(&self, span: Range<usize>) -> usize {
        self.line_ends.partition_point(|end| *end < span.start) + 1
    }

    pub(crate) fn note(&self, line: Option<usize>, message: impl Into<String>, mend: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            file: self.name.to_owned(),
            line,
            message: message.into(),
            mend: mend.into(),
        });
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// The known word most like `word`, as " Did you mean "title"?", or the whole list when none is.
pub(crate) fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.dedup();
    let best = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((alike, candidate)) if alike >= ALIKE => format!("Did you mean \"{candidate}\"?"),
        _ => format!("Known here: {}.", known.join(", ")),
    }
}

/// One table of the file. Keys that nobody asks for are unknown, and are told by [`Section::finish`].
pub(crate) struct Section<'a, 'i> {
    pub(crate) file: &'a File<'a>,
    pub(crate) name: String,
    pub(crate) line: usize,
    table: &'a DeTable<'i>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(crate) fn root(file: &'a File<'a>, table: &'a Spanned<DeTable<'i>>) -> Self {
        Self { file, name: String::new(), line: 1, table: table.get_ref(), known: RefCell::default() }
    }

    fn find(&self, key: &'static str) -> Option<(&'a Spanned<DeValue<'i>>, usize)> {
        self.known.borrow_mut().push(key);
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((value, self.file.line(name.span())))
    }

    /// Every key with its value and line, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'a str, &'a Spanned<DeValue<'i>>, usize)> {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value, self.file.line(key.span()))).collect()
    }

    /// Line of a key, or of the section.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.entries().iter().find(|(name, _, _)| *name == key).map_or(self.line, |(_, _, line)| *line)
    }

    pub(crate) fn place(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!(" in [{}]", self.name) }
    }

    fn wrong_type(&self, key: &str, line: usize, wanted: &str) {
        self.file.note(
            Some(line),
            format!("\"{key}\"{} has a value of the wrong kind.", self.place()),
            format!("Write {wanted}."),
        );
    }

    pub(crate) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.untrimmed_text(key).map(|text| text.trim().to_owned())
    }

    pub(crate) fn untrimmed_text(&self, key: &'static str) -> Option<String> {
        let (value, line) = self.find(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_type(key, line, &format!("text in quotes, {key} = \"...\""));
                None
            }
        }
    }

    pub(crate) fn required_text(&self, key: &'static str, example: &str) -> String {
        match self.text(key) {
            Some(text) if !text.is_empty() => text,
            Some(_) => {
                self.file.note(
                    Some(self.line_of(key)),
                    format!("\"{key}\"{} is empty.", self.place()),
                    format!("Write {key} = \"{example}\"."),
                );
                String::new()
            }
            None if self.table.keys().any(|name| name.get_ref() == key) => String::new(),
            None => {
                self.file.note(
                    Some(self.line),
                    format!("\"{key}\"{} is missing.", self.place()),
                    format!("Add a line such as {key} = \"{example}\"."),
                );
                String::new()
            }
        }
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some((value, line)) = self.find(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, line, "true or false, without quotes");
            default
        })
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn number(&self, key: &'static str, most: u32) -> Option<u32> {
        let (value, line) = self.find(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|n| *n <= most);
        if number.is_none() {
            self.wrong_type(key, line, &format!("a whole number from 0 to {most}"));
        }
        number
    }

    /// A share from 0 to 1.
    pub(crate) fn share(&self, key: &'static str, default: f64) -> f64 {
        let Some((value, line)) = self.find(key) else { return default };
        let text = value
            .get_ref()
            .as_float()
            .map(|n| n.as_str().to_owned())
            .or_else(|| value.get_ref().as_integer().map(|n| n.as_str().to_owned()));
        text.and_then(|text| text.parse::<f64>().ok()).filter(|share| (0.0..=1.0).contains(share)).unwrap_or_else(
            || {
                self.wrong_type(key, line, "a share from 0 to 1, such as 0.1 for a tenth");
                default
            },
        )
    }

    /// A date, as TOML writes it or in quotes.
    pub(crate) fn date(&self, key: &'static str) -> Option<Date> {
        let (value, line) = self.find(key)?;
        let date = match value.get_ref() {
            DeValue::Datetime(when) => when.date.and_then(|d| {
                Date::new(i16::try_from(d.year).ok()?, i8::try_from(d.month).ok()?, i8::try_from(d.day).ok()?).ok()
            }),
            DeValue::String(text) => text.parse().ok(),
            _ => None,
        };
        if date.is_none() {
            self.file.note(
                Some(line),
                format!("\"{key}\"{} is not a date.", self.place()),
                "Write year, month and day: 2014-01-31.",
            );
        }
        date
    }

    /// A list of texts with their lines; one text alone is a list of one.
    pub(crate) fn texts(&self, key: &'static str) -> Vec<(String, usize)> {
        self.find(key).map(|(value, line)| self.texts_of(key, value, line)).unwrap_or_default()
    }

    pub(crate) fn texts_of(&self, key: &str, value: &'a Spanned<DeValue<'i>>, line: usize) -> Vec<(String, usize)> {
        let mut out = Vec::new();
        match value.get_ref() {
            DeValue::String(text) => out.push((text.trim().to_owned(), line)),
            DeValue::Array(items) => {
                for item in items.iter() {
                    match item.get_ref().as_str() {
                        Some(text) => out.push((text.trim().to_owned(), self.file.line(item.span()))),
                        None => self.wrong_type(key, line, "a list of texts in quotes"),
                    }
                }
            }
            _ => self.wrong_type(key, line, "a list of texts in quotes"),
        }
        out
    }

    pub(crate) fn section(&self, key: &'static str) -> Option<Section<'a, 'i>> {
        let (value, line) = self.find(key)?;
        self.section_of(key, value, line)
    }

    pub(crate) fn section_of(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'i>>,
        line: usize,
    ) -> Option<Section<'a, 'i>> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, line, &format!("a table, [{}]", self.child(key)));
            return None;
        };
        Some(Section { file: self.file, name: self.child(key), line, table, known: RefCell::default() })
    }

    /// Tables written `[[key]]`.
    pub(crate) fn sections(&self, key: &'static str) -> Vec<Section<'a, 'i>> {
        let Some((value, line)) = self.find(key) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(key, line, &format!("tables with two brackets, [[{}]]", self.child(key)));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.section_of(key, item, self.file.line(item.span()))).collect()
    }

    /// A table of texts: `"code" = "meaning"`.
    pub(crate) fn pairs(&self, key: &'static str) -> Option<Vec<(String, String, usize)>> {
        let section = self.section(key)?;
        let mut out = Vec::new();
        for (name, value, line) in section.entries() {
            match value.get_ref().as_str() {
                Some(text) => out.push((name.to_owned(), text.trim().to_owned(), line)),
                None => section.wrong_type(name, line, &format!("\"{name}\" = \"meaning\"")),
            }
        }
        Some(out)
    }

    fn child(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Tells the keys that nobody asked for.
    pub(crate) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _, line) in self.entries() {
            if !known.contains(&key) {
                self.file.note(
                    Some(line),
                    format!("\"{key}\"{} is not a setting we know.", self.place()),
                    did_you_mean(key, known.iter().copied()),
                );
            }
        }
    }
}
