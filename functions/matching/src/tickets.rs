//! Tickets: what a worker is about is written down until it has seen it through.
//!
//! A message may come twice, and be ended by one worker while another still works on it. If that one dies, what it has
//! committed and not projected, or a key that it has in hand, is known to nobody but its ticket. The sweep finds those that
//! are old and finishes what they name: people of heads are projected, versions that clusters wait for are committed, keys
//! are settled. What has been finished already is left as it is.

use crate::{
    Failure, Matching,
    converge::{Arrived, Work},
};
use fc_model::RecordHandle;
use fc_store::records::{self, Errand, LEFT_AFTER_SECONDS, Ticket};
use std::collections::BTreeSet;

/// Tickets that are read in one go.
const MOST_TICKETS: u32 = 100;
/// Records that are finished together, as in a part of a load.
const RECORDS_AT_ONCE: usize = 100;

impl Matching {
    pub(crate) async fn open_ticket(&self, errand: &Errand) -> Result<Ticket, Failure> {
        // A name that no other ticket has.
        let name = (self.new_person)();
        Ok(records::open_ticket(&self.store.records, name.as_str(), errand, self.now()).await?)
    }

    /// Finishes what workers left that must be dead by now.
    pub(crate) async fn sweep(&self) -> Result<(), Failure> {
        loop {
            let until = self.now() - LEFT_AFTER_SECONDS;
            let left = records::left_tickets(&self.store.records, until, MOST_TICKETS).await?;
            if left.is_empty() {
                return Ok(());
            }
            tracing::warn!(count = left.len(), "workers left work undone, which is finished now");
            self.finish(left).await?;
        }
    }

    /// Under new tickets, which take the place of the old ones before anything else: what cannot be finished is tried again
    /// when they are old in their turn, and there are never more of them.
    async fn finish(&self, left: Vec<(Ticket, Errand)>) -> Result<(), Failure> {
        let work = Work::begun(self.now()).on_ticket();
        let (old, errands): (Vec<Ticket>, Vec<Errand>) = left.into_iter().unzip();
        let records: BTreeSet<RecordHandle> = errands.iter().flat_map(|errand| &errand.records).cloned().collect();
        let records: Vec<RecordHandle> = records.into_iter().collect();
        let keys: BTreeSet<&String> = errands.iter().flat_map(|errand| &errand.keys).collect();
        let by_records = records.chunks(RECORDS_AT_ONCE).map(|some| Errand::of_records(some.iter().cloned()));
        let mut open = Vec::new();
        for errand in by_records.chain(keys.into_iter().map(|key| Errand::of_key(key))) {
            open.push((self.open_ticket(&errand).await?, errand));
        }
        for ticket in &old {
            records::close_ticket(&self.store.records, ticket).await?;
        }
        for (ticket, errand) in open {
            let found = records::read(&self.store.records, &errand.records, self.now()).await?;
            let mut found: Vec<_> = found.into_iter().collect();
            found.sort_by(|x, y| x.0.cmp(&y.0));
            let arrived = found.into_iter().filter_map(|(handle, stored)| Arrived::as_found(handle, stored));
            self.converge(arrived.collect(), &work).await?;
            for key in &errand.keys {
                self.reconsider(key, &BTreeSet::new(), &work).await?;
            }
            records::close_ticket(&self.store.records, &ticket).await?;
        }
        Ok(())
    }
}
