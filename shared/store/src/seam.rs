//! The seam between what the product asks for and who does it: AWS, or the simulation that the protocols are tested on
//! (decision 9).

use std::sync::Arc;

/// Who does it. AWS is not one trait object among others: that would put every operation it has into every function, those
/// too that the function never calls.
#[derive(Debug)]
pub(crate) enum Keeper<Aws, Other: ?Sized> {
    Aws(Arc<Aws>),
    Other(Arc<Other>),
}

impl<Aws, Other: ?Sized> Clone for Keeper<Aws, Other> {
    fn clone(&self) -> Self {
        match self {
            Self::Aws(aws) => Self::Aws(Arc::clone(aws)),
            Self::Other(other) => Self::Other(Arc::clone(other)),
        }
    }
}

/// One call of it.
macro_rules! ask {
    ($keeper:expr, $call:ident($($argument:expr),*)) => {
        match &$keeper {
            $crate::seam::Keeper::Aws(aws) => aws.$call($($argument),*),
            $crate::seam::Keeper::Other(other) => other.$call($($argument),*),
        }
    };
}
pub(crate) use ask;
