//! The folders of the core are layers: each imports only from those below it. The compiler keeps the order of the
//! crates.

// A test that panics has failed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src`, the lowest first. Files of `src` itself are below all of them.
const LAYERS: [&str; 6] = ["schedule", "host", "compile", "link", "instance", "plugin"];

/// Folders that do not know each other, although one is above the other: native code is made without the host.
const APART: [(&str, &str); 1] = [("compile", "host")];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first names of the paths into the crate that a line has: `host` for `use crate::host::control`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let paths = code.split("crate::").skip(1);
    paths.flat_map(|path| {
        let group = path
            .strip_prefix('{')
            .and_then(|group| group.split('}').next());
        let most = if group.is_some() { usize::MAX } else { 1 };
        group.unwrap_or(path).split(',').take(most).map(|name| {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
            &name[..end.unwrap_or(name.len())]
        })
    })
}

fn rule_broken(from: &str, to: &str) -> Option<String> {
    let place = |name| LAYERS.iter().position(|layer| *layer == name);
    match (place(from), place(to)) {
        (Some(own), Some(other)) if other > own => {
            Some(format!("{from} is below {to}, so it does not import it"))
        }
        (None, Some(_)) => Some(format!(
            "files of src are below {to}, so they do not import it"
        )),
        _ if APART.contains(&(from, to)) => Some(format!("{from} does not know {to}")),
        _ => None,
    }
}

#[test]
fn each_folder_imports_only_from_those_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut broken, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    sources(&src, &mut files);
    for file in files {
        let path = file.strip_prefix(&src).unwrap();
        let from = path.iter().next().unwrap().to_str().unwrap().to_owned();
        if from == "lib.rs" {
            continue;
        }
        seen.insert(from.clone());
        for (number, line) in (1..).zip(fs::read_to_string(&file).unwrap().lines()) {
            for to in imports(line) {
                if let Some(rule) = rule_broken(&from, to) {
                    broken.push(format!("src/{}:{number}: {rule}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    // A folder of another name would be below all others without being asked.
    let folders: Vec<_> = seen.iter().filter(|name| !name.ends_with(".rs")).collect();
    assert_eq!(folders.len(), LAYERS.len(), "{folders:?}");
}

#[test]
fn upward_imports_are_found_however_they_are_written() {
    let found = |line: &'static str| -> Vec<_> { imports(line).collect() };
    assert_eq!(found("use crate::plugin::Plugin;"), ["plugin"]);
    assert_eq!(found("use crate::{host, link::store};"), ["host", "link"]);
    assert_eq!(
        found("let x = crate::clock::now() + crate::host::y;"),
        ["clock", "host"]
    );
    assert_eq!(found("/// [`crate::Plugin`]"), Vec::<&str>::new());
    assert!(rule_broken("host", "link").is_some());
    assert!(rule_broken("text.rs", "schedule").is_some());
    assert!(rule_broken("compile", "host").is_some());
    assert_eq!(rule_broken("link", "host"), None);
}
