//! The report to browse: one page that needs nothing but itself (`dirty check … --html`).
//!
//! All of it can be read without scripts; the one script adds the filters. Text that comes from a subject reaches the
//! page through [`Escaped`] alone.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::human::time;
use super::{Entry, Status, counts, entries, verdict_text};
use crate::check::failure::Failure;
use crate::check::requirements::Requirements;
use crate::check::run::{Counts, Played, Run, Verdict};
use crate::check::trace::{Event, What};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Text in a page: no character of it is markup, in an element or in a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // HTML has no place for these; their pictures have one.
                '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => {
                    f.write_char(char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{FFFD}'))?;
                }
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The report as a page.
pub fn html(run: &Run, requirements: &Requirements) -> String {
    let entries = entries(run, requirements);
    let subject = format!("{} {}", run.role, run.subject);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>dirty check: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        Escaped(&subject)
    );
    head(run, &entries, &mut page);
    filters(&entries, &mut page);
    page.push_str("<main>\n");
    requirement_section(run, &entries, &mut page);
    transcript_section(run, requirements, &mut page);
    let _ = write!(
        page,
        "</main>\n<footer>{} {}; bytes handed over: {}</footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        run.options.delivery.name()
    );
    page
}

fn head(run: &Run, entries: &[Entry<'_>], page: &mut String) {
    let Counts { passed, failed, known, skipped, not_run } = run.counts();
    let class = if run.is_as_expected() { "passed" } else { "failed" };
    let _ = write!(
        page,
        "<header>\n<h1>{} <span class=\"badge {class}\">{}</span></h1>\n<p>{} in {}</p>\n<dl class=\"totals\">\n",
        Escaped(&format!("The {}", run.role)),
        verdict_text(run),
        Escaped(&run.subject),
        time(run.duration)
    );
    let mut total = |kind: &str, class: &str, count: usize| {
        let _ = writeln!(page, "<div class=\"{class}\"><dt>{kind}</dt><dd>{count}</dd></div>");
    };
    total("transcripts passed", "passed", passed);
    for (kind, class, count) in [
        ("transcripts failed", "failed", failed),
        ("transcripts failed as the baseline says", "known", known),
        ("transcripts skipped", "skipped", skipped),
        ("transcripts not run", "failed", not_run),
        ("transcripts left out", "left", run.left_out.len()),
    ] {
        if count > 0 {
            total(kind, class, count);
        }
    }
    for (name, count) in counts(entries) {
        if count > 0 {
            total(&format!("requirements {}", name.replace('_', " ")), name, count);
        }
    }
    page.push_str("</dl>\n</header>\n");
}

/// Shown by the script, which makes them work.
fn filters(entries: &[Entry<'_>], page: &mut String) {
    page.push_str("<form class=\"filters\" hidden>\n<label>show <select name=\"verdict\"><option value=\"\">everything</option><option value=\"failed\">what failed</option><option value=\"passed\">what passed</option><option value=\"known\">what the baseline knows</option><option value=\"skipped\">what was skipped</option><option value=\"not_run\">what was not run</option></select></label>\n");
    page.push_str("<label>family <select name=\"family\"><option value=\"\">all</option>");
    for family in families(entries).keys() {
        let _ = write!(page, "<option>{}</option>", Escaped(family));
    }
    page.push_str(
        "</select></label>\n<label>binds <select name=\"role\"><option value=\"\">anybody</option>",
    );
    for role in ["client", "arbiter", "worker"] {
        let _ = write!(page, "<option>{role}</option>");
    }
    let _ = writeln!(
        page,
        "</select></label>\n<label>text <input type=\"search\" name=\"text\" placeholder=\"FRAME-3, calls/echo\"></label>\n\
         <button type=\"button\" name=\"open\">open all</button>\n<output aria-live=\"polite\"></output>\n</form>"
    );
}

fn family(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(family, _)| family)
}

fn families<'a, 'e>(entries: &'e [Entry<'a>]) -> indexmap::IndexMap<&'a str, Vec<&'e Entry<'a>>> {
    let mut families: indexmap::IndexMap<&str, Vec<&Entry<'_>>> = indexmap::IndexMap::new();
    for entry in entries {
        families.entry(family(&entry.requirement.id)).or_default().push(entry);
    }
    families
}

fn requirement_section(run: &Run, entries: &[Entry<'_>], page: &mut String) {
    page.push_str("<section id=\"requirements\">\n<h2>Requirements</h2>\n");
    for (family, rows) in families(entries) {
        let count = |status: Status| rows.iter().filter(|entry| entry.status == status).count();
        let (failed, passed) = (count(Status::Failed), count(Status::Passed));
        begin_group(family, &format!("{} rules, {passed} passed", rows.len()), failed, page);
        for entry in rows {
            requirement(run, entry, page);
        }
        page.push_str("</details>\n");
    }
    page.push_str("</section>\n");
}

fn requirement(run: &Run, entry: &Entry<'_>, page: &mut String) {
    let it = entry.requirement;
    let roles: Vec<&str> = it.roles.iter().map(|role| role.as_str()).collect();
    let _ = write!(
        page,
        "<article class=\"requirement\" id=\"{id}\" data-verdict=\"{status}\" data-family=\"{family}\" data-roles=\"{roles}\">\
         <p><b>{id}</b> <span class=\"badge {status}\">{shown}</span> <small>{level} for {for_roles}</small></p><p>{text}</p>",
        id = Escaped(&it.id),
        status = entry.status.name(),
        shown = entry.status.name().replace('_', " "),
        family = Escaped(family(&it.id)),
        roles = roles.join(" "),
        for_roles = roles.join(", "),
        level = Escaped(&it.level),
        text = Escaped(&it.text),
    );
    if let Some(reason) = entry.reason(run) {
        let _ = write!(page, "<p class=\"reason\">{}</p>", Escaped(&reason));
    }
    if !entry.transcripts.is_empty() {
        page.push_str("<p class=\"links\">");
        for id in &entry.transcripts {
            if !run.played.iter().any(|played| played.transcript.id == *id) {
                let _ = write!(page, "<span>{}</span> ", Escaped(id));
                continue;
            }
            let class = if entry.failed.contains(id) { "failed" } else { "" };
            let _ = write!(page, "<a class=\"{class}\" href=\"#{0}\">{0}</a> ", Escaped(id));
        }
        page.push_str("</p>");
    }
    page.push_str("</article>\n");
}

/// The head of a group, which is open where something has failed.
fn begin_group(name: &str, what: &str, failed: usize, page: &mut String) {
    let (open, failed) = match failed {
        0 => ("", String::new()),
        failed => (" open", format!(", <b class=\"failed\">{failed} failed</b>")),
    };
    let _ = writeln!(
        page,
        "<details class=\"group\"{open}><summary><h3>{}</h3> <span>{what}{failed}</span></summary>",
        Escaped(name)
    );
}

fn transcript_section(run: &Run, requirements: &Requirements, page: &mut String) {
    page.push_str("<section id=\"transcripts\">\n<h2>Transcripts</h2>\n");
    let mut areas: BTreeMap<&str, Vec<&Played>> = BTreeMap::new();
    for played in &run.played {
        let area = played.transcript.id.split('/').next().unwrap_or_default();
        areas.entry(area).or_default().push(played);
    }
    for (area, all) in areas {
        let failed = all.iter().filter(|it| matches!(it.verdict, Verdict::Failed(_))).count();
        begin_group(area, &format!("{} transcripts", all.len()), failed, page);
        for played in all {
            transcript(played, requirements, page);
        }
        page.push_str("</details>\n");
    }
    page.push_str("</section>\n");
}

fn transcript(played: &Played, requirements: &Requirements, page: &mut String) {
    let it = &played.transcript;
    let (verdict, open, failure) = match &played.verdict {
        Verdict::Failed(failure) => ("failed", " open", Some(failure)),
        Verdict::Known { failure, .. } => ("known", "", Some(failure)),
        Verdict::Skipped { .. } => ("skipped", "", None),
        Verdict::NotRun { .. } => ("not_run", "", None),
        Verdict::Passed => ("passed", "", None),
    };
    let mut named: Vec<&str> = it.proves.iter().map(|id| family(id)).collect();
    named.dedup();
    let roles: Vec<&str> = it.roles.iter().map(|role| role.as_str()).collect();
    let _ = writeln!(
        page,
        "<details class=\"transcript\" id=\"{id}\" data-verdict=\"{verdict}\" data-family=\"{families}\" data-roles=\"{roles}\"{open}>\
         <summary><span class=\"badge {verdict}\">{said}</span> <b>{id}</b> <span class=\"title\">{title}</span> <small>{time}</small></summary>",
        id = Escaped(&it.id),
        said = verdict.replace('_', " "),
        families = Escaped(&named.join(" ")),
        roles = roles.join(" "),
        title = Escaped(&it.title),
        time = time(played.duration),
    );
    if let Some(failure) = failure {
        fault(played, failure, requirements, page);
    }
    match &played.verdict {
        Verdict::Skipped { lacks } => {
            let _ = writeln!(page, "<p>It needs {}, which the subject lacks.</p>", Escaped(lacks));
        }
        Verdict::Known { reason, .. } => {
            let _ = writeln!(page, "<p>The baseline knows: {}</p>", Escaped(reason));
        }
        Verdict::NotRun { reason } => {
            let _ = writeln!(page, "<p>{}</p>", Escaped(reason));
        }
        Verdict::Passed | Verdict::Failed(_) => {}
    }
    conversation(played, failure, page);
    page.push_str("<p class=\"links\">proves ");
    for id in &it.proves {
        let _ = write!(page, "<a href=\"#{0}\">{0}</a> ", Escaped(id));
    }
    page.push_str("</p>\n");
    if let Some(note) = &it.note {
        let _ = writeln!(page, "<p class=\"reason\">{}</p>", Escaped(note));
    }
    let _ = writeln!(page, "<p>again <code>{}</code></p>\n</details>", Escaped(&played.again));
}

fn fault(played: &Played, failure: &Failure, requirements: &Requirements, page: &mut String) {
    let _ = writeln!(page, "<div class=\"fault\"><p><b>{}</b></p>", Escaped(&failure.to_string()));
    if let Some(mismatch) = failure.problem.mismatch() {
        let _ = writeln!(
            page,
            "<dl><div><dt>at</dt><dd><code>{}</code></dd></div><div><dt>expected</dt><dd><code>{}</code></dd></div><div><dt>came</dt><dd><code>{}</code></dd></div></dl>",
            Escaped(&mismatch.pointer.to_string()),
            Escaped(&mismatch.wanted),
            Escaped(&mismatch.got)
        );
    }
    let broken = failure.problem.requirement().into_iter();
    let mut said: Vec<&str> = Vec::new();
    for id in broken.chain(played.transcript.proves.iter().map(String::as_str)) {
        if let Some(requirement) = requirements.get(id).filter(|_| !said.contains(&id)) {
            said.push(id);
            let _ = writeln!(
                page,
                "<p><a href=\"#{0}\">{0}</a> {1}</p>",
                Escaped(id),
                Escaped(&requirement.text)
            );
        }
    }
    page.push_str("</div>\n");
}

/// Two lanes: the kit on the left, the subject on the right.
fn conversation(played: &Played, failure: Option<&Failure>, page: &mut String) {
    let Some(trace) = &played.trace else { return };
    let by = |subject: bool| {
        let event = trace.events().iter().find(|event| event.subject == subject);
        event.map(|event| event.by.as_str())
    };
    let kit = by(false).map_or_else(|| "the kit".to_string(), |role| format!("the kit, as {role}"));
    let _ = writeln!(
        page,
        "<ol class=\"lanes\"><li class=\"names\"><span>{}</span><span>{}</span></li>",
        Escaped(&kit),
        Escaped(by(true).unwrap_or("the subject"))
    );
    for event in trace.events() {
        let side = if event.subject { "subject" } else { "kit" };
        let differs = failure.is_some_and(|failure| event.subject && event.step == Some(failure.step));
        let differs = if differs { " differs" } else { "" };
        let (kind, text) = describe(event);
        let kind = if kind.is_empty() { String::new() } else { format!("<i>{kind}</i> ") };
        let _ = writeln!(
            page,
            "<li class=\"{side}{differs}\"><small>{time} {on}{step}</small><div class=\"say {class}\">{kind}{text}</div></li>",
            time = time(event.at),
            on = Escaped(&event.on),
            step = event.step.map_or_else(String::new, |step| format!(" step {step}")),
            class = event.what.kind(),
            text = Escaped(&text),
        );
    }
    page.push_str("</ol>\n");
}

fn describe(event: &Event) -> (&'static str, String) {
    match &event.what {
        What::Open => ("connects", String::new()),
        What::Close => ("ends the connection", String::new()),
        What::Quiet(_) => ("nothing for", event.what.text()),
        What::Message(text) => ("", text.clone()),
        What::Raw(text) => ("bytes", text.clone()),
        What::Api(text) if event.subject => ("caller sees", text.clone()),
        What::Api(text) => ("calls", text.clone()),
        What::Note(text) => ("note", text.clone()),
    }
}
