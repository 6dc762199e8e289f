//! `spec/requirements.md`: the registry as a page to read, generated.

use super::registry::{Registry, Requirement, split_id};

/// The most transcripts that are listed one by one.
const MOST: usize = 5;

/// Renders the page.
pub fn render(registry: &Registry) -> String {
    let mut page = String::from(
        "# Requirements and their proofs\n\n\
         <!-- Generated from requirements.json by the test suite (UPDATE=1 rewrites it). -->\n\n",
    );
    let count = |level: &str| registry.requirements.iter().filter(|r| r.level == level).count();
    let with = |f: fn(&Requirement) -> bool| registry.requirements.iter().filter(|r| f(r)).count();
    page += &format!(
        "{} requirements: {} MUST, {} SHOULD. {} are proved, {} pending, {} cannot be tested. Retired: {}.\n",
        registry.requirements.len(),
        count("MUST"),
        count("SHOULD"),
        with(|r| !r.proofs().is_empty()),
        with(|r| r.pending.is_some()),
        with(|r| r.untestable.is_some()),
        if registry.retired.is_empty() { "none".into() } else { join(registry.retired.iter().cloned()) },
    );
    let mut area = "";
    for requirement in &registry.requirements {
        let this = split_id(&requirement.id).map_or("", |(area, _)| area);
        if this != area {
            area = this;
            page += &format!("\n## {area}\n\n| id | level | binds | proofs |\n|---|---|---|---|\n");
        }
        page += &format!(
            "| [{}]({}) | {} | {} | {} |\n",
            requirement.id,
            requirement.anchor,
            requirement.level,
            requirement.role.join(", "),
            proofs(requirement)
        );
    }
    page
}

fn proofs(requirement: &Requirement) -> String {
    if let Some(reason) = &requirement.pending {
        return format!("pending, {reason}");
    }
    if let Some(reason) = &requirement.untestable {
        return format!("untestable: {reason}");
    }
    let (golden, tests): (Vec<&String>, Vec<&String>) =
        requirement.proofs().iter().partition(|proof| proof.starts_with("golden:"));
    let shown = if golden.len() > MOST { MOST - 1 } else { golden.len() };
    let links = golden[..shown].iter().map(|proof| {
        let id = proof.trim_start_matches("golden:");
        format!("[{id}](../golden/{id}.json)")
    });
    let more = (shown < golden.len()).then(|| format!("{} more transcripts", golden.len() - shown));
    let tests = tests.iter().map(|proof| format!("`{}`", proof.trim_start_matches("test:")));
    join(links.chain(more).chain(tests))
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
