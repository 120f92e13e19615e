//! Builds the source definitions in: every `.toml` file of `infra/sources`, so that adding one is enough.

use std::{env, fs, path::Path};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../sources").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            println!("cargo::rerun-if-changed={}", path.display());
            files.push(path);
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        list.push_str(&format!("({name:?}, include_str!({:?})),\n", path.display().to_string()));
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("definitions.rs"), list)?;
    Ok(())
}
