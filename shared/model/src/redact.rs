//! Keeps personal data out of `Debug`.

/// Implements `Debug` for types that hold personal data, printing only the type's name.
macro_rules! redacted_debug {
    ($($type:ident),+ $(,)?) => {$(
        impl ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }
    )+};
}

pub(crate) use redacted_debug;

#[cfg(test)]
mod tests {
    use crate::{Details, Name, NhsNumber, PartialDate, Phone, Postcode, RecordId, Staff};

    #[test]
    fn personal_data_cannot_print_itself() {
        let mut details = Details { nhs_number: NhsNumber::parse("9434765919").ok(), ..Details::default() };
        details.names.push(Name::current(["Zephyrine"], "Quillfeather-Canary"));
        let printed = format!(
            "{details:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            details.names,
            details.nhs_number,
            PartialDate::parse_iso("2015-03-02"),
            Phone::parse("01614960000"),
            Postcode::parse("SK1 3XE"),
            (RecordId::new("housing".parse().unwrap(), "H1"), Staff::default()),
        );
        for secret in ["Zephyrine", "Quillfeather", "9434765919", "2015", "0161", "SK1", "H1"] {
            assert!(!printed.contains(secret), "{secret} printed in {printed}");
        }
    }
}
