//! What a file says of protection, gathered while it is read: what is new goes to the guard table before anything is
//! decided about the file.

use fc_model::{Content, HandleKey, Protection, RecordHandle};
use fc_store::guard::{Changes, Guarded, Stated};
use std::collections::BTreeMap;

/// What of a file's protections is not guarded yet, and what it takes back.
#[derive(Debug, Default)]
pub(crate) struct Guarding {
    places: Vec<(RecordHandle, Stated)>,
    places_taken_back: Vec<(RecordHandle, String)>,
    records: BTreeMap<RecordHandle, Said>,
}

/// What a file says of a record's protection.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// The strictest of its rows.
    strictest: Protection,
    /// What was guarded before.
    known: Protection,
}

impl Guarding {
    /// Adds what a row says of a record. What is guarded already is left out, so that the same file again writes nothing.
    pub(crate) fn add(&mut self, guarded: &Guarded, key: &HandleKey, record: &RecordHandle, content: &Content) {
        let Content::Person(details) = content else { return };
        let is_only = details.addresses.len() == 1;
        for address in details.addresses.iter().filter(|address| address.confidential) {
            // A mark beside an address and those before it is of the address that is current: the home before stays.
            if !is_only && address.to.is_some() {
                continue;
            }
            let Some(stated) = Stated::of(address, &details.phones, key) else { continue };
            if !guarded.knows_place(record, &stated) {
                self.places.push((record.clone(), stated));
            }
        }
        if details.not_confidential {
            let ids = details.addresses.iter().flat_map(|address| guarded.stated_there(record, address));
            self.places_taken_back.extend(ids.map(|id| (record.clone(), id)));
        }
        let known = guarded.protection(record);
        if details.protection > Protection::None || (details.unprotected && known > Protection::None) {
            let said = self.records.entry(record.clone()).or_insert(Said { strictest: Protection::None, known });
            said.strictest = said.strictest.max(details.protection);
        }
    }

    /// What protects somebody and is not guarded yet.
    pub(crate) fn protects(&self) -> Changes {
        let records = self.of_records(|said| said.strictest > said.known);
        Changes { places: self.places.clone(), records, ..Changes::default() }
    }

    /// What the file takes back in so many words: a blank takes nothing back.
    pub(crate) fn takes_back(&self) -> Changes {
        Changes {
            places_taken_back: self.places_taken_back.clone(),
            taken_back: self.of_records(|said| said.strictest < said.known),
            ..Changes::default()
        }
    }

    fn of_records(&self, which: impl Fn(&Said) -> bool) -> Vec<(RecordHandle, Protection)> {
        let said = self.records.iter().filter(|(_, said)| which(said));
        said.map(|(record, said)| (record.clone(), said.strictest)).collect()
    }
}
