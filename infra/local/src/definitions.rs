//! The source definitions a command works with: a folder's, or those that come with the tool.

use fc_sources::{Definitions, Problem, Unusable};
use std::path::Path;

/// Name and text of every definition under `infra/sources`, built in so that the tool works wherever it is started.
/// `build.rs` lists them.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/definitions.rs"));

/// Loads the definitions in `folder`, or those that come with the tool.
///
/// # Errors
/// Every mistake, all at once.
pub fn load(folder: Option<&Path>) -> Result<Definitions, Unusable> {
    let loaded = match folder {
        Some(folder) => Definitions::load_dir(folder)
            .and_then(|read| if read.iter().next().is_some() { Ok(read) } else { Err(vec![nothing_in(folder)]) }),
        None => Definitions::from_files(SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))),
    };
    loaded.map_err(Unusable)
}

/// A folder without a definition: a mistyped path more likely than a council without sources.
fn nothing_in(folder: &Path) -> Problem {
    Problem {
        file: folder.display().to_string(),
        line: None,
        message: "There is no source definition in this folder.".to_owned(),
        mend: "Give the folder with the definitions, one .toml file for each source, such as infra/sources.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_definition_is_in_the_folder_comes_with_the_tool() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources");
        let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        let shipped: Vec<_> = SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(shipped, files);
        assert!(load(None).is_ok());
    }
}
