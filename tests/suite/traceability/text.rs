//! The chapters of the specification: where requirements are defined, mentioned and linked.

use std::collections::{BTreeMap, BTreeSet};

use super::registry::{Registry, split_id};

/// One Markdown file of the specification.
pub struct Chapter {
    /// File name, such as `framing.md`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A place where a requirement is laid down: `**FRAME-3** (MUST) sentence`, below its anchor.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    pub id: String,
    pub level: String,
    /// The sentence, with every run of white space as one space.
    pub sentence: String,
    /// `framing.md#frame-3`; `None` when the line above is not the anchor.
    pub anchor: Option<String>,
}

/// A line and whether it stands inside a fenced block.
fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut fenced = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        let inside = fenced || fence;
        fenced ^= fence;
        (line, inside)
    })
}

/// Reads `**ID** (LEVEL) rest`.
fn definition_line(line: &str) -> Option<(&str, &str, &str)> {
    let (id, rest) = line.strip_prefix("**")?.split_once("** (")?;
    split_id(id)?;
    let (level, sentence) = rest.split_once(')')?;
    Some((id, level, sentence))
}

/// Every definition of a chapter, in order.
pub fn definitions(chapter: &Chapter) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut above = "";
    let mut lines = lines(&chapter.text).peekable();
    while let Some((line, fenced)) = lines.next() {
        if let (false, Some((id, level, start))) = (fenced, definition_line(line)) {
            let mut words: Vec<&str> = start.split_whitespace().collect();
            while let Some((more, _)) = lines.next_if(|(l, fenced)| !fenced && !l.trim().is_empty()) {
                words.extend(more.split_whitespace());
            }
            let name = id.to_lowercase();
            let anchored = above == format!("<a id=\"{name}\"></a>");
            found.push(Definition {
                id: id.into(),
                level: level.into(),
                sentence: words.join(" "),
                anchor: anchored.then(|| format!("{}#{name}", chapter.name)),
            });
        }
        above = line;
    }
    found
}

/// Everything in `text` that has the form of an id of one of `areas`.
pub fn mentions(text: &str, areas: &BTreeSet<&str>) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| split_id(word).is_some_and(|(area, _)| areas.contains(area)))
        .map(str::to_owned)
        .collect()
}

/// What is wrong between the chapters and the registry.
pub fn problems(registry: &Registry, chapters: &[Chapter]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut defined: BTreeMap<String, Definition> = BTreeMap::new();
    for chapter in chapters {
        for definition in definitions(chapter) {
            let id = definition.id.clone();
            if registry.get(&id).is_none() {
                problems.push(format!("{}: {id} is not in the registry", chapter.name));
            }
            if defined.insert(id.clone(), definition).is_some() {
                problems.push(format!("{}: {id} is defined twice", chapter.name));
            }
        }
    }
    for row in &registry.requirements {
        let Some(definition) = defined.get(&row.id) else {
            problems.push(format!("{} is in the registry and not in the text", row.id));
            continue;
        };
        if definition.level != row.level {
            problems
                .push(format!("{}: {} in the text, {} in the registry", row.id, definition.level, row.level));
        }
        if definition.sentence != row.text {
            problems.push(format!("{}: the sentence in the text is not the one in the registry", row.id));
        }
        match &definition.anchor {
            None => problems.push(format!("{}: no anchor above its definition", row.id)),
            Some(anchor) if *anchor != row.anchor => {
                problems.push(format!("{}: stands at {anchor}, the registry says {}", row.id, row.anchor));
            }
            Some(_) => {}
        }
    }
    let areas: BTreeSet<&str> =
        registry.requirements.iter().filter_map(|r| split_id(&r.id)).map(|(area, _)| area).collect();
    for chapter in chapters {
        for id in mentions(&chapter.text, &areas) {
            if registry.get(&id).is_none() && !registry.retired.contains(&id) {
                problems.push(format!("{}: mentions {id}, which does not exist", chapter.name));
            }
        }
        problems.extend(normative_problems(chapter));
    }
    problems.extend(link_problems(chapters));
    problems
}

/// The words of RFC 2119 stand in numbered requirements only, and in the sentence that explains them.
fn normative_problems(chapter: &Chapter) -> Vec<String> {
    let mut inside_definition = false;
    let mut problems = Vec::new();
    for (number, (line, fenced)) in lines(&chapter.text).enumerate() {
        inside_definition = definition_line(line).is_some() || (inside_definition && !line.trim().is_empty());
        if fenced
            || inside_definition
            || ["README.md", "requirements.md", "coverage.md", "upstream.md"].contains(&chapter.name.as_str())
        {
            continue;
        }
        let words = line.split(|c: char| !c.is_ascii_alphabetic());
        for word in
            words.filter(|w| ["MUST", "SHALL", "SHOULD", "MAY", "REQUIRED", "RECOMMENDED"].contains(w))
        {
            problems.push(format!("{}:{}: {word} outside a requirement", chapter.name, number + 1));
        }
    }
    problems
}

/// Links between chapters lead to a chapter that exists and to an anchor in it.
fn link_problems(chapters: &[Chapter]) -> Vec<String> {
    let mut problems = Vec::new();
    for chapter in chapters {
        for target in chapter.text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(t, _)| t)
        {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.contains("://") || file.contains('/') || !file.ends_with(".md") {
                continue;
            }
            let Some(other) = chapters.iter().find(|c| c.name == file) else {
                problems.push(format!("{}: links to {file}, which does not exist", chapter.name));
                continue;
            };
            if !anchor.is_empty() && !other.text.contains(&format!("<a id=\"{anchor}\"></a>")) {
                problems.push(format!("{}: links to {target}, an anchor that does not exist", chapter.name));
            }
        }
    }
    problems
}
