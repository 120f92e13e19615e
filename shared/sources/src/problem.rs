//! A mistake in a definition, told so that its author can mend it.

use serde::Serialize;
use std::fmt;

/// One mistake in a file of configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// Its line, from 1, when the mistake has a place.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        write!(f, ": {} {}", self.message, self.mend)
    }
}

/// Definitions that cannot be used, with every mistake in them.
#[derive(Debug, thiserror::Error)]
#[error("The source definitions cannot be used.\n\n{}", .0.iter().map(|problem| format!("{problem}\n")).collect::<String>())]
pub struct Unusable(pub Vec<Problem>);
