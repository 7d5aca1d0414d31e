//! Embeds the web page that `scripts/build-web` has made in `web/dist`, and the plain one of `src/page/plain`, which is at `/plain`
//! and, where nobody has built the other (Node is no condition of a build), at `/` as well; at `/docs` stands then how to build it
//! (`src/page/unbuilt`). Writes a table of all files with their bytes, compressed too where the folder holds that.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    fmt::Write as _,
    fs,
    hash::{Hash, Hasher},
    io::Result,
    path::{Path, PathBuf},
};

/// Hashes of the style elements that scripts of the page add, one a line, as a content security policy names them.
const STYLES: &str = "style-hashes.txt";

fn main() -> Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the crate lies"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write"));
    let web = root.join("../web");
    let (built, plain) = (web.join("dist"), root.join("src/page/plain"));
    let unbuilt = root.join("src/page/unbuilt/docs.html");
    let is_built = built.join("index.html").exists();
    // A path that is missing would make every build begin here; the folder above is watched until there is something in it.
    let watched = if is_built { &built } else { &web };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed={}", plain.display());
    println!("cargo::rerun-if-changed={}", unbuilt.display());

    let mut files = Vec::new();
    walk(&plain, "plain/", &mut files)?;
    if is_built {
        walk(&built, "", &mut files)?;
    } else {
        files.push(("index.html".to_owned(), plain.join("index.html")));
        files.push(("docs/index.html".to_owned(), unbuilt));
    }
    files.sort();
    let styles = fs::read_to_string(built.join(STYLES)).unwrap_or_default();
    let mut table = format!("const STYLE_HASHES: &str = {styles:?};\nstatic ASSETS: &[Asset] = &[\n");
    for (path, file) in files {
        entry(&mut table, &path, &file.canonicalize()?)?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// All that is to be served, under a prefix: no hidden files, no notes of ours, no compressed copies.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), files)?;
        } else if !name.starts_with('.') && !name.ends_with(".gz") && name != STYLES {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}

fn entry(table: &mut String, path: &str, file: &Path) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    fs::read(file)?.hash(&mut hasher);
    let tag = hasher.finish();
    let compressed = PathBuf::from(format!("{}.gz", file.display()));
    let gzip = if compressed.exists() { format!("Some(include_bytes!({compressed:?}))") } else { "None".to_owned() };
    // Only a `String` is written to.
    let _ = writeln!(
        table,
        "Asset {{ path: {path:?}, tag: \"{tag:016x}\", bytes: include_bytes!({file:?}), gzip: {gzip} }},"
    );
    Ok(())
}
