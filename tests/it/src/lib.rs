//! The tests that need more than one crate: one binary, a module for each story.
//!
//! Harnesses, which the stories share, come first.

pub mod lambda_runtime;

#[cfg(test)]
mod web_issuer;

#[cfg(test)]
mod web_harness;

#[cfg(test)]
mod matching_harness;

#[cfg(test)]
mod access_harness;

#[cfg(test)]
mod end_to_end_harness;

#[cfg(test)]
mod web;

#[cfg(test)]
mod ingest;

#[cfg(test)]
mod matching;

#[cfg(test)]
mod access_archive;

#[cfg(test)]
mod search;

#[cfg(test)]
mod family;

#[cfg(test)]
mod confidential;

#[cfg(test)]
mod end_to_end;

#[cfg(test)]
mod end_to_end_api;

#[cfg(test)]
mod invariants;

#[cfg(test)]
mod binaries;

#[cfg(test)]
mod operator;
#[cfg(test)]
mod reconcile;

#[cfg(test)]
mod killed;

#[cfg(test)]
mod poison;

#[cfg(test)]
mod stranger;
