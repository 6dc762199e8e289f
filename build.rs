//! Lists the golden transcripts and schemas, so that the kit can embed them (`src/check/corpus.rs`).

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CHECK").is_none() {
        return Ok(());
    }
    let mut code = String::new();
    for (name, directory) in [("GOLDEN", "golden"), ("SCHEMAS", "schemas")] {
        println!("cargo::rerun-if-changed={directory}");
        let mut files = Vec::new();
        list(Path::new(directory), &mut files)?;
        files.sort();
        // Vectors are for those who have the sources; they are no part of the product.
        files.retain(|path| !path.starts_with("schemas/vectors/"));
        let _ = writeln!(code, "pub(super) static {name}: &[(&str, &str)] = &[");
        for path in files {
            let inner = &path[directory.len() + 1..];
            let _ = writeln!(
                code,
                "    ({inner:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{path}\"))),"
            );
        }
        let _ = writeln!(code, "];");
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("embedded.rs"), code)
}

/// The JSON and Markdown files below `directory`, with `/` between the parts of their paths.
fn list(directory: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "json" || it == "md") {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
