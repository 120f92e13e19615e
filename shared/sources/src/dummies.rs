//! What systems write when they have no value, and what passes for one: ids, numbers and addresses that are nobody's. Known
//! by their kind, so that another spelling of the same thing is one too.

use crate::cells::{folded_header, is_dataset_placeholder, is_error_value};

/// Words that stand for no value, folded to letters and digits.
const WORDS: [&str; 58] = [
    "unknown",
    "unk",
    "unkn",
    "nk",
    "na",
    "nan",
    "nat",
    "nil",
    "null",
    "none",
    "no",
    "noid",
    "noref",
    "novalue",
    "nodata",
    "notknown",
    "notapplicable",
    "notavailable",
    "notrecorded",
    "notprovided",
    "notgiven",
    "notstated",
    "notentered",
    "notset",
    "notyetknown",
    "notyetassigned",
    "tba",
    "tbc",
    "tbd",
    "tobeconfirmed",
    "toconfirm",
    "toberecorded",
    "tobeadvised",
    "test",
    "testing",
    "testrecord",
    "testid",
    "dummy",
    "fake",
    "sample",
    "example",
    "placeholder",
    "blank",
    "empty",
    "missing",
    "pending",
    "temp",
    "temporary",
    "undefined",
    "unassigned",
    "unallocated",
    "invalid",
    "error",
    "default",
    "new",
    "void",
    "anon",
    "anonymous",
];

/// Words that stay what they are with a number after them: "TEST1".
const NUMBERED: [&str; 6] = ["unknown", "test", "dummy", "fake", "placeholder", "sample"];

/// Fewest digits that go on counting, or are the same again and again, by which a number is known for made up.
const RUN: usize = 7;

/// Whether a text stands for no value, whatever the column.
fn is_no_value_word(folded: &str) -> bool {
    let bare = folded.trim_end_matches(|c: char| c.is_ascii_digit());
    WORDS.contains(&folded) || NUMBERED.contains(&bare)
}

/// Whether a record id is one that nobody has: everybody without an id of their own would be one person.
pub(crate) fn is_record_id(text: &str) -> bool {
    let folded = folded_header(text);
    let all = |c: char| folded.chars().all(|other| other == c);
    folded.is_empty()
        || all('0')
        || (all('9') && folded.len() >= 6)
        || ((all('x') || all('z')) && folded.len() >= 2)
        || text.trim() == "-1"
        || folded == "123456789"
        || folded == "1234567890"
        || is_no_value_word(&folded)
        || is_error_value(text)
        || is_dataset_placeholder(text)
}

/// Whether digits are made up: counted up or down, one digit again and again, or one pair again and again.
pub(crate) fn are_digits(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let longest = |next: &dyn Fn(&[u8]) -> bool| {
        let mut best = 1;
        let mut run = 1;
        for pair in digits.windows(2) {
            run = if next(pair) { run + 1 } else { 1 };
            best = best.max(run);
        }
        best
    };
    let again = longest(&|pair| pair[0] == pair[1]);
    let up = longest(&|pair| pair[1] == (pair[0] + 1) % 10);
    let down = longest(&|pair| pair[0] == (pair[1] + 1) % 10);
    let pairs = digits.windows(3).rev().take_while(|three| three[0] == three[2]).count() + 2;
    again.max(up).max(down) >= RUN || (digits.len() > RUN && pairs > RUN + 1)
}

/// Whether a unique pupil number is one of the codes for having none: UN1 to UN9.
pub(crate) fn is_no_upn(text: &str) -> bool {
    let text = text.trim();
    let un = text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("un"));
    un && text.len() <= 4 && text[2..].bytes().all(|b| b.is_ascii_digit())
}

/// Words before or after the @ of an address that nobody reads.
const NO_MAIL: [&str; 14] = [
    "noemail",
    "nomail",
    "noemailaddress",
    "noemailgiven",
    "noemailprovided",
    "noreply",
    "donotreply",
    "noone",
    "nobody",
    "noaddress",
    "email",
    "declined",
    "refused",
    "nowhere",
];

/// Domains' first labels that are real and share a word with those that are not.
const REAL_DOMAINS: [&str; 2] = ["email.com", "new.com"];

/// Whether an e-mail address is nobody's.
pub(crate) fn is_email(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_word = |part: &str| {
        let folded = folded_header(part);
        let bare = folded.trim_end_matches(|c: char| c.is_ascii_digit());
        let signs = !bare.is_empty() && bare.bytes().all(|b| b == b'x' || b == b'z') && bare.len() != 1;
        folded.is_empty() || is_no_value_word(&folded) || NO_MAIL.contains(&bare) || signs
    };
    let mut labels = domain.split('.');
    let first = labels.next().unwrap_or_default();
    // "new" and "no" begin real mailboxes; an address is only doubted for a whole word.
    let local_is = is_word(local) && local != "new" && local != "temp";
    let domain_is = (is_word(first) && !REAL_DOMAINS.contains(&domain)) || matches!(first, "x" | "a" | "aa" | "abc");
    let ending = domain.rsplit('.').next().unwrap_or_default();
    local_is || domain_is || matches!(ending, "invalid" | "test" | "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_nobodys_is_known_by_its_kind() {
        for id in [
            "0",
            "00000",
            "0.0",
            "-1",
            "########",
            "#NUM!",
            "#GETTING_DATA",
            "Err:502",
            "UNKNOWN",
            "Unknown 2",
            "nan",
            "TBC",
            "N/A",
            "None",
            "(null)",
            "[blank]",
            "-",
            "--",
            "???",
            "test",
            "TEST 01",
            "XXXX",
            "zzz",
            "999999",
            "9999999999",
            "SSD_PH",
            "To be confirmed",
            "not known",
        ] {
            assert!(is_record_id(id), "{id}");
        }
        for id in [
            "1", "10", "H1201", "9", "99", "9999", "99999", "111111", "NA1234", "X1", "T100", "#1234", "AA", "NULL7",
            "Newman", "A0",
        ] {
            assert!(!is_record_id(id), "{id}");
        }
    }

    #[test]
    fn digits_that_count_or_repeat_are_nobodys() {
        for text in [
            "07777777777",
            "01234567890",
            "07123456789",
            "00000000001",
            "09876543210",
            "9876543210",
            "0123456789",
            "4000000004",
            "0161 1111111",
            "07070707070",
            "1212121212",
            "07987654321",
        ] {
            assert!(are_digits(text), "{text}");
        }
        for text in [
            "07700900123",
            "01632960700",
            "01614960000",
            "9990000018",
            "9434765919",
            "020 7946 0000",
            "07788778877",
            "0800001066",
            "4010232137",
        ] {
            assert!(!are_digits(text), "{text}");
        }
    }

    #[test]
    fn an_email_that_nobody_reads_is_no_email() {
        for text in [
            "noemail@noemail.com",
            "none@none.com",
            "unknown@unknown.com",
            "na@na.com",
            "no@email.com",
            "test@test.co.uk",
            "noemail1@gmail.com",
            "x@x.com",
            "xxx@xxx.com",
            "noreply@fenshire.gov.uk",
            "jo@example.com",
            "a@b.invalid",
            "n/a@nhs.net",
            "no-email@nhs.net",
            "nobody@nowhere.com",
        ] {
            assert!(is_email(text), "{text}");
        }
        for text in [
            "duty@fenshire.example",
            "norma@council.gov.uk",
            "nan.jones@mail.com",
            "jo@email.com",
            "x.ray@mail.com",
            "tess@testbourne.sch.uk",
            "new.life@mail.com",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }

    #[test]
    fn the_code_for_having_no_pupil_number_is_none() {
        assert!(is_no_upn("UN1") && is_no_upn(" un10 ") && is_no_upn("UN"));
        assert!(!is_no_upn("UN12345") && !is_no_upn("T925204625067"));
    }
}
