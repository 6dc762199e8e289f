//! `spec/requirements.md`: the registry as a page to read, generated.

use super::registry::{Registry, Requirement, split_id};

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
    join(requirement.proofs().iter().map(|proof| match proof.split_once(':') {
        Some(("golden", id)) => format!("[{id}](../golden/{id}.json)"),
        Some((_, test)) => format!("`{test}`"),
        None => proof.clone(),
    }))
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
