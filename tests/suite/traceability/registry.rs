//! `spec/requirements.json`: reading it, writing it in its one layout, and the rules a row keeps by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The value of the member `format`.
const FORMAT: &str = "dirty-requirements/1";
/// The only reason for which a requirement may wait.
const PENDING_REASON: &str = "pool issue: ";
/// The roles a requirement can bind, in the order they are written.
const ROLES: [&str; 3] = ["client", "arbiter", "worker"];

/// The registry as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    format: String,
    /// Ids that were given up and are never used again.
    pub retired: BTreeSet<String>,
    /// One row per requirement, in the order of the ids.
    pub requirements: Vec<Requirement>,
}

/// One requirement.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Immutable id, such as `FRAME-3`.
    pub id: String,
    /// `MUST` or `SHOULD`.
    pub level: String,
    /// Whom it binds.
    pub role: Vec<String>,
    /// The sentence, as it stands in the text.
    pub text: String,
    /// `chapter.md#anchor`.
    pub anchor: String,
    /// `golden:id` and `test:path` entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_by: Option<Vec<String>>,
    /// Why it cannot be proved yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// Why it can never be proved by a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untestable: Option<String>,
    /// Why no transcript can show it and tests alone prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_transcript: Option<String>,
}

impl Requirement {
    /// Its proofs; none when it is pending or untestable.
    pub fn proofs(&self) -> &[String] {
        self.proved_by.as_deref().unwrap_or_default()
    }
}

impl Registry {
    /// Reads the registry from its JSON text.
    pub fn parse(json: &str) -> Result<Registry, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The one layout of the file: one requirement a line, so that a change is one line of a diff.
    pub fn canonical(&self) -> String {
        let retired = serde_json::to_string(&self.retired).expect("a set of strings is JSON");
        let rows: Vec<String> =
            self.requirements.iter().map(|r| serde_json::to_string(r).expect("a row is JSON")).collect();
        format!(
            "{{\"format\":\"{}\",\"retired\":{retired},\"requirements\":[\n{}\n]}}\n",
            self.format,
            rows.join(",\n")
        )
    }

    /// The requirement of that id.
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|r| r.id == id)
    }

    /// Replaces every `golden:` proof by what the transcripts say they prove: (transcript id, requirement ids).
    pub fn set_golden_proofs(&mut self, transcripts: &[(String, Vec<String>)]) {
        for requirement in &mut self.requirements {
            let golden = transcripts
                .iter()
                .filter(|(_, proves)| proves.contains(&requirement.id))
                .map(|(id, _)| format!("golden:{id}"));
            let tests = requirement.proofs().iter().filter(|p| !p.starts_with("golden:")).cloned();
            let mut proofs: Vec<String> = golden.chain(tests).collect();
            proofs.sort();
            if requirement.proved_by.is_some() || !proofs.is_empty() {
                requirement.proved_by = Some(proofs);
            }
        }
    }
}

/// Splits `FRAME-3` into `FRAME` and 3.
pub fn split_id(id: &str) -> Option<(&str, u32)> {
    let (area, number) = id.split_once('-')?;
    let plain = !area.is_empty() && area.bytes().all(|b| b.is_ascii_uppercase()) && !number.starts_with('0');
    plain.then_some(())?;
    Some((area, number.parse().ok()?))
}

/// What is wrong with the rows taken by themselves.
pub fn problems(registry: &Registry) -> Vec<String> {
    let mut problems = Vec::new();
    if registry.format != FORMAT {
        problems.push(format!("format is {:?}, expected {FORMAT:?}", registry.format));
    }
    for requirement in &registry.requirements {
        problems.extend(row_problems(requirement).map(|p| format!("{}: {p}", requirement.id)));
    }
    problems.extend(id_problems(registry));
    problems
}

fn row_problems(row: &Requirement) -> impl Iterator<Item = String> {
    let mut problems = Vec::new();
    let mut check = |good: bool, problem: String| {
        if !good {
            problems.push(problem);
        }
    };
    check(matches!(row.level.as_str(), "MUST" | "SHOULD"), format!("level is {:?}", row.level));
    let roles: Vec<&str> = ROLES.into_iter().filter(|r| row.role.iter().any(|x| x == r)).collect();
    check(
        !roles.is_empty() && row.role == roles,
        format!("role is {:?}, expected some of {ROLES:?}", row.role),
    );
    check(row.text.contains(&row.level), format!("the sentence does not say {}", row.level));
    check(row.level == "MUST" || !row.text.contains("MUST"), "a SHOULD that says MUST".into());
    let sentences = row.text.matches(". ").count() + usize::from(row.text.ends_with('.'));
    check(sentences == 1, format!("{sentences} sentences, expected one, with a full stop"));
    let ways = [row.proved_by.is_some(), row.pending.is_some(), row.untestable.is_some()];
    check(
        ways.iter().filter(|w| **w).count() == 1,
        "expected exactly one of proved_by, pending and untestable".into(),
    );
    if let Some(reason) = &row.pending {
        let agreed = reason.strip_prefix(PENDING_REASON).is_some_and(|rest| !rest.trim().is_empty());
        check(agreed, format!("pending for {reason:?}; the only reason is {PENDING_REASON:?} and what"));
    }
    if let Some(reason) = &row.untestable {
        check(!reason.trim().is_empty(), "untestable without a reason".into());
    }
    let mut sorted = row.proofs().to_vec();
    sorted.sort();
    sorted.dedup();
    check(row.proofs() == sorted, "proved_by is not sorted, or names a proof twice".into());
    problems.into_iter()
}

/// Ids are unique, in order, without gaps but for retired ones, and a retired id is not used.
fn id_problems(registry: &Registry) -> Vec<String> {
    let mut problems = Vec::new();
    let mut numbers: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    let mut last: Option<(&str, u32)> = None;
    let mut finished = BTreeSet::new();
    for requirement in &registry.requirements {
        let Some((area, number)) = split_id(&requirement.id) else {
            problems.push(format!("{:?} is not an id", requirement.id));
            continue;
        };
        if !numbers.entry(area).or_default().insert(number) {
            problems.push(format!("{} is in the registry twice", requirement.id));
        }
        if registry.retired.contains(&requirement.id) {
            problems.push(format!("{} is retired and used again", requirement.id));
        }
        if let Some((last_area, last_number)) = last {
            if last_area != area {
                finished.insert(last_area);
            }
            if finished.contains(area) || (last_area == area && last_number >= number) {
                problems.push(format!("{} is out of order", requirement.id));
            }
        }
        last = Some((area, number));
    }
    for (area, used) in &numbers {
        for number in 1..used.last().copied().unwrap_or(0) {
            let id = format!("{area}-{number}");
            if !used.contains(&number) && !registry.retired.contains(&id) {
                problems.push(format!("{id} is missing and not retired: ids are never renumbered"));
            }
        }
    }
    problems
}
