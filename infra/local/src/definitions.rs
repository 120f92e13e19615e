//! The source definitions a command works with: a folder's, or those that come with the tool.

use fc_sources::{Definitions, Unusable};
use std::path::Path;

/// The definitions under `infra/sources`, built in so that the tool works wherever it is started.
const SHIPPED: &[(&str, &str)] = &[
    ("adult_social_care.toml", include_str!("../../sources/adult_social_care.toml")),
    ("children_social_care.toml", include_str!("../../sources/children_social_care.toml")),
    ("council.toml", include_str!("../../sources/council.toml")),
    ("housing.toml", include_str!("../../sources/housing.toml")),
    ("police.toml", include_str!("../../sources/police.toml")),
    ("schools.toml", include_str!("../../sources/schools.toml")),
    ("staff_directory.toml", include_str!("../../sources/staff_directory.toml")),
    ("standard_safeguarding_dataset.toml", include_str!("../../sources/standard_safeguarding_dataset.toml")),
    ("youth_justice.toml", include_str!("../../sources/youth_justice.toml")),
];

/// Loads the definitions in `folder`, or those that come with the tool.
///
/// # Errors
/// Every mistake, all at once.
pub fn load(folder: Option<&Path>) -> Result<Definitions, Unusable> {
    let loaded = match folder {
        Some(folder) => Definitions::load_dir(folder),
        None => Definitions::from_files(SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))),
    };
    loaded.map_err(Unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_that_come_with_the_tool_are_the_folders() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        files.sort();
        assert_eq!(files, SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        assert!(load(None).is_ok());
    }
}
