//! Explaining: why two records are thought to be one person, in one sentence.

use crate::Comparison;

/// One plain sentence, without the names or dates themselves: "same NHS number and date of birth; name spelled differently".
#[must_use]
pub fn explain(comparison: &Comparison) -> String {
    let _ = comparison;
    String::new()
}
