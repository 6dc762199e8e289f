//! Proofs: golden transcripts and test functions, and their agreement with the registry.

use super::registry::Registry;

/// What the registry needs to know of a golden transcript.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub id: String,
    pub proves: Vec<String>,
    pub roles: Vec<String>,
}

/// A Rust source file: path from the root of the repository, and text.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// What is wrong between the registry, the transcripts and the sources.
pub fn problems(registry: &Registry, transcripts: &[Transcript], sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for row in &registry.requirements {
        for proof in row.proofs() {
            if let Some(id) = proof.strip_prefix("golden:") {
                match transcripts.iter().find(|t| t.id == id) {
                    None => problems.push(format!("{}: no transcript {id}", row.id)),
                    Some(t) if !t.proves.contains(&row.id) => {
                        problems.push(format!("{}: transcript {id} does not say that it proves it", row.id));
                    }
                    Some(t) if !t.roles.iter().any(|role| row.role.contains(role)) => {
                        problems.push(format!("{}: transcript {id} judges none of its roles", row.id));
                    }
                    Some(_) => {}
                }
            } else if let Some(path) = proof.strip_prefix("test:") {
                if let Err(problem) = find_test(path, sources) {
                    problems.push(format!("{}: {problem}", row.id));
                }
            } else {
                problems.push(format!("{}: {proof:?} is neither golden: nor test:", row.id));
            }
        }
    }
    for transcript in transcripts {
        if transcript.proves.is_empty() {
            problems.push(format!("transcript {} proves nothing", transcript.id));
        }
        for id in &transcript.proves {
            match registry.get(id) {
                None => problems.push(format!("transcript {}: {id} does not exist", transcript.id)),
                Some(row) if !row.proofs().contains(&format!("golden:{}", transcript.id)) => {
                    problems.push(format!(
                        "{id}: the registry does not list transcript {} (UPDATE=1 does)",
                        transcript.id
                    ));
                }
                Some(_) => {}
            }
        }
    }
    problems
}

/// The MUSTs that have no proof and no reason for that.
pub fn unproved(registry: &Registry) -> Vec<&str> {
    let unproved = |r: &&super::registry::Requirement| {
        r.level == "MUST" && r.proofs().is_empty() && r.pending.is_none() && r.untestable.is_none()
    };
    registry.requirements.iter().filter(unproved).map(|r| r.id.as_str()).collect()
}

/// Finds the test function of `target::module::…::function`.
///
/// The target is `suite` (or another file or folder of `tests/`), `lib` for unit tests of the library or `dirty`
/// for those of the binary. The longest part of the path that is a file is taken, the rest are inline modules.
pub fn find_test(path: &str, sources: &[Source]) -> Result<(), String> {
    let parts: Vec<&str> = path.split("::").collect();
    let [target, modules @ .., function] = parts.as_slice() else {
        return Err(format!("{path} is not target::module::function"));
    };
    let files = |depth: usize| -> Vec<String> {
        let (folder, roots): (String, Vec<String>) = match *target {
            "lib" => ("src".into(), vec!["src/lib.rs".into()]),
            "dirty" => ("src".into(), vec!["src/main.rs".into()]),
            name => {
                (format!("tests/{name}"), vec![format!("tests/{name}/main.rs"), format!("tests/{name}.rs")])
            }
        };
        if depth == 0 {
            return roots;
        }
        let file = format!("{folder}/{}", modules[..depth].join("/"));
        vec![format!("{file}.rs"), format!("{file}/mod.rs")]
    };
    for depth in (0..=modules.len()).rev() {
        let candidates = files(depth);
        if let Some(source) = sources.iter().find(|s| candidates.contains(&s.path)) {
            if let Some(module) =
                modules[depth..].iter().find(|m| !source.text.contains(&format!("mod {m} {{")))
            {
                return Err(format!("test {path}: no module {module} in {}", source.path));
            }
            return match attributes_of(&source.text, function) {
                None => Err(format!("test {path}: no fn {function} in {}", source.path)),
                Some(attributes) if attributes.iter().any(|a| a.starts_with("#[ignore")) => {
                    Err(format!("test {path} is ignored"))
                }
                Some(attributes) if attributes.iter().any(|a| a.contains("test")) => Ok(()),
                Some(_) => Err(format!("{path} is a function and not a test")),
            };
        }
    }
    Err(format!("test {path}: no such target"))
}

/// The attribute lines above `fn name`; `None` when there is no such function.
fn attributes_of<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| {
        let rest = line.split_once("fn ").map(|(before, rest)| (before.trim_end(), rest));
        rest.is_some_and(|(before, rest)| {
            before.split(' ').all(|w| matches!(w, "" | "async" | "pub"))
                && rest.strip_prefix(name).is_some_and(|after| after.starts_with(['(', '<']))
        })
    })?;
    let above = lines[..at].iter().rev().take_while(|l| l.starts_with("#[") || l.starts_with("//"));
    Some(above.copied().filter(|l| l.starts_with("#[")).collect())
}
