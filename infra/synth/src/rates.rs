//! How often things happen and how often systems get them wrong. Another council is another set of rates.

/// Rates as shares of 1. The defaults make a large English city whose systems are kept as well, or as badly, as most.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Children known to children's social care, before a family's own strain counts.
    pub children_social_care: f64,
    /// Children of school age on a school's roll.
    pub schools: f64,
    /// Households that rent from the housing association, before the family's shape counts.
    pub housing: f64,
    /// Adults under 65 with adult social care; older people have it more often.
    pub adult_social_care: f64,
    /// Young people of 10 to 17 with youth justice, when children's social care does not know them.
    pub youth_justice: f64,
    /// Adults with a police record.
    pub police: f64,

    /// Women of child-bearing age with a child on the way, in families of the usual kind.
    pub unborn: f64,
    /// People with an alias.
    pub alias: f64,
    /// People who changed gender, whose former name must not be shown.
    pub gender_change: f64,
    /// People known to children's social care only with details withheld.
    pub withheld: f64,
    /// People whose very existence is hidden.
    pub hidden: f64,
    /// Residents who work for the council.
    pub colleague: f64,

    /// A second record of the same person in the same source.
    pub duplicate: f64,
    /// One letter wrong, for each of forename and surname.
    pub typo: f64,
    /// A nickname in place of the forename, where one is known.
    pub nickname: f64,
    /// The name a person prefers in place of their forename.
    pub preferred_as_forename: f64,
    /// Forename and surname in one another's place.
    pub swapped_names: f64,
    /// The former surname still in use.
    pub maiden_name: f64,
    /// Another spelling of the same name, where one is known.
    pub transliteration: f64,
    /// The forename as an initial.
    pub initial_only: f64,
    /// The name in capitals.
    pub capitals: f64,
    /// A title in the forename.
    pub title_in_name: f64,
    /// One half of a double-barrelled surname.
    pub half_surname: f64,
    /// Middle names left out.
    pub no_middle_name: f64,
    /// A newborn called "Baby", where the system has no forename yet.
    pub baby_name: f64,
    /// A child under five still written as "Unborn" or "Baby", with the day it was expected, in a system nobody told.
    pub still_unborn: f64,
    /// Another surname of the family: a child's other parent's, a step-parent's.
    pub family_surname: f64,
    /// Another forename altogether: someone who goes by a name of their own choosing.
    pub other_forename: f64,
    /// Accents and curly apostrophes as people write them.
    pub accents: f64,

    /// No date of birth.
    pub no_birth: f64,
    /// Only the year known, written as its first day.
    pub year_only: f64,
    /// A placeholder: 1 January 1900.
    pub placeholder_birth: f64,
    /// Day and month exchanged, where that gives a date.
    pub day_month_swap: f64,
    /// A digit of the date wrong.
    pub wrong_birth_digit: f64,
    /// The date of someone else in the family.
    pub family_birth: f64,

    /// No NHS number.
    pub no_nhs_number: f64,
    /// A digit of the NHS number wrong: its check digit fails.
    pub wrong_nhs_number: f64,
    /// The NHS number of someone else in the family.
    pub shared_nhs_number: f64,
    /// An NHS number that a spreadsheet turned into `4.86E+09` (adult social care).
    pub spreadsheet_number: f64,

    /// No postcode.
    pub no_postcode: f64,
    /// Postcode without its space or in small letters.
    pub untidy_postcode: f64,
    /// The address before this one, still in use.
    pub old_address: f64,
    /// No property reference.
    pub no_uprn: f64,
    /// Street ways shortened: Road to Rd.
    pub shortened_street: f64,
    /// No sex.
    pub no_sex: f64,

    /// A father left out of the relationships.
    pub no_father: f64,
    /// Adult social care's worker without phone and e-mail (research: over half).
    pub no_worker_contact: f64,
    /// A row with a record id but neither a name nor an identifier: it must be rejected (housing).
    pub unusable_row: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            children_social_care: 0.055,
            schools: 0.96,
            housing: 0.22,
            adult_social_care: 0.018,
            youth_justice: 0.009,
            police: 0.06,
            unborn: 0.04,
            alias: 0.015,
            gender_change: 0.002,
            withheld: 0.001,
            hidden: 0.0004,
            colleague: 0.002,
            duplicate: 0.012,
            typo: 0.02,
            nickname: 0.06,
            preferred_as_forename: 0.2,
            swapped_names: 0.006,
            maiden_name: 0.08,
            transliteration: 0.07,
            initial_only: 0.02,
            capitals: 0.12,
            title_in_name: 0.008,
            half_surname: 0.15,
            no_middle_name: 0.5,
            baby_name: 0.6,
            still_unborn: 0.01,
            family_surname: 0.01,
            other_forename: 0.002,
            accents: 0.5,
            no_birth: 0.03,
            year_only: 0.01,
            placeholder_birth: 0.005,
            day_month_swap: 0.006,
            wrong_birth_digit: 0.01,
            family_birth: 0.001,
            no_nhs_number: 0.35,
            wrong_nhs_number: 0.005,
            shared_nhs_number: 0.002,
            spreadsheet_number: 0.01,
            no_postcode: 0.03,
            untidy_postcode: 0.08,
            old_address: 0.06,
            no_uprn: 0.3,
            shortened_street: 0.12,
            no_sex: 0.03,
            no_father: 0.35,
            no_worker_contact: 0.58,
            unusable_row: 0.0005,
        }
    }
}

impl Rates {
    /// The same people, written down without a single mistake.
    #[must_use]
    pub fn clean() -> Self {
        Self {
            duplicate: 0.0,
            typo: 0.0,
            nickname: 0.0,
            preferred_as_forename: 0.0,
            swapped_names: 0.0,
            maiden_name: 0.0,
            transliteration: 0.0,
            initial_only: 0.0,
            capitals: 0.0,
            title_in_name: 0.0,
            half_surname: 0.0,
            no_middle_name: 0.0,
            baby_name: 0.0,
            still_unborn: 0.0,
            family_surname: 0.0,
            other_forename: 0.0,
            accents: 0.0,
            no_birth: 0.0,
            year_only: 0.0,
            placeholder_birth: 0.0,
            day_month_swap: 0.0,
            wrong_birth_digit: 0.0,
            family_birth: 0.0,
            no_nhs_number: 0.0,
            wrong_nhs_number: 0.0,
            shared_nhs_number: 0.0,
            spreadsheet_number: 0.0,
            no_postcode: 0.0,
            untidy_postcode: 0.0,
            old_address: 0.0,
            no_uprn: 0.0,
            shortened_street: 0.0,
            no_sex: 0.0,
            no_father: 0.0,
            unusable_row: 0.0,
            ..Self::default()
        }
    }

    /// The same people in systems kept so many times as badly: every slip that makes records of one person differ is so
    /// many times as common. Numbers left out are common already and are halfway between what they are and always.
    #[must_use]
    pub fn kept_worse(&self, times: f64) -> Self {
        let mut worse = self.clone();
        for rate in [
            &mut worse.duplicate,
            &mut worse.typo,
            &mut worse.nickname,
            &mut worse.preferred_as_forename,
            &mut worse.swapped_names,
            &mut worse.maiden_name,
            &mut worse.transliteration,
            &mut worse.initial_only,
            &mut worse.half_surname,
            &mut worse.still_unborn,
            &mut worse.family_surname,
            &mut worse.other_forename,
            &mut worse.no_birth,
            &mut worse.year_only,
            &mut worse.placeholder_birth,
            &mut worse.day_month_swap,
            &mut worse.wrong_birth_digit,
            &mut worse.family_birth,
            &mut worse.wrong_nhs_number,
            &mut worse.shared_nhs_number,
            &mut worse.no_postcode,
            &mut worse.old_address,
        ] {
            *rate = (*rate * times).clamp(0.0, rate.max(0.5));
        }
        for rate in [&mut worse.no_nhs_number, &mut worse.no_uprn] {
            if times > 1.0 {
                *rate = f64::midpoint(*rate, 1.0);
            }
        }
        worse
    }
}
