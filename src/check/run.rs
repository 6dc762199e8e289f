//! Playing many transcripts against one subject.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::baseline::{Baseline, Known};
use super::corpus;
use super::departure::Departure;
use super::failure::{Failure, Problem};
use super::replay::{Options, Outcome, replay};
use super::sabotage::Saboteur;
use super::subject::{Running, Source, SubjectError};
use super::trace::{Trace, What};
use super::transcript::{Level, Setup, Transcript};
use crate::message::Role;

/// What became of one transcript.
#[derive(Debug, Clone)]
pub struct Played {
    /// The transcript.
    pub transcript: Transcript,
    /// Whether the subject did what it says.
    pub verdict: Verdict,
    /// How long it took.
    pub duration: Duration,
    /// What happened; nothing when it was skipped.
    pub trace: Option<Trace>,
    /// The command that plays just this transcript again.
    pub again: String,
    /// Where the subject departed from what a SHOULD asks for.
    pub departures: Vec<Departure>,
}

/// Whether the subject did what a transcript says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not.
    Failed(Failure),
    /// It did not, and the baseline says so.
    Known {
        /// Where it failed, and why.
        failure: Failure,
        /// Why that is accepted.
        reason: String,
    },
    /// It was not asked any more: it answers nothing.
    NotRun {
        /// What was seen of it.
        reason: String,
    },
    /// It was not asked: it lacks a feature that the transcript needs.
    Skipped {
        /// The feature.
        lacks: String,
    },
}

/// Something that transcripts can be played against.
pub trait Stage {
    /// The role that is judged.
    fn role(&self) -> Role;

    /// What is judged, for reports.
    fn describe(&self) -> String;

    /// The command that plays just this transcript again.
    fn again(&self, id: &str) -> String;

    /// Whether the subject is known to lack a feature that transcripts may need.
    fn lacks(&self, _feature: &str) -> bool {
        false
    }

    /// Plays one transcript.
    ///
    /// # Errors
    /// [`SubjectError`] when there is no subject to play it against.
    fn play(&mut self, transcript: &Transcript, options: &Options) -> Result<Outcome, SubjectError>;

    /// Called after a transcript has failed: the subject may be in any state, and the next transcript deserves a
    /// fresh one.
    fn renew(&mut self) {}
}

/// An arbiter or a worker, reached by its socket. What the kit starts, it starts once for each distinct setup.
#[derive(Debug)]
pub struct SocketStage {
    role: Role,
    source: Source,
    saboteur: Option<&'static Saboteur>,
    running: BTreeMap<Setup, Running>,
}

impl SocketStage {
    /// A stage for a subject of this role.
    pub fn new(role: Role, source: Source) -> SocketStage {
        SocketStage { role, source, saboteur: None, running: BTreeMap::new() }
    }

    /// The same with a saboteur before the subject: what is judged then breaks a rule on purpose.
    #[must_use]
    pub fn sabotaged_by(self, saboteur: &'static Saboteur) -> SocketStage {
        SocketStage { saboteur: Some(saboteur), ..self }
    }

    /// What matters of a setup: to a socket nothing does, and one worker is one worker.
    fn relevant(&self, setup: &Setup) -> Setup {
        match (&self.source, self.role) {
            (Source::Socket(_), _) => Setup::default(),
            (_, Role::Worker) => Setup { workers: 1, ..setup.clone() },
            _ => setup.clone(),
        }
    }

    /// The subject for this setup, started if it is not there (any more).
    fn subject(&mut self, setup: &Setup) -> Result<&Running, SubjectError> {
        let setup = self.relevant(setup);
        if self.running.get_mut(&setup).is_some_and(|running| !running.is_alive()) {
            self.running.remove(&setup);
        }
        if !self.running.contains_key(&setup) {
            let mut running = self.source.start(self.role, &setup)?;
            if self.saboteur.is_some() {
                running.sabotage(self.saboteur, self.role)?;
            }
            self.running.insert(setup.clone(), running);
        }
        // Inserted above, if it was not there.
        Ok(&self.running[&setup])
    }
}

impl Stage for SocketStage {
    fn role(&self) -> Role {
        self.role
    }

    fn describe(&self) -> String {
        let subject = self.source.describe(self.role);
        match self.saboteur {
            Some(saboteur) => format!("{subject} behind the saboteur {}", saboteur.name),
            None => subject,
        }
    }

    fn again(&self, id: &str) -> String {
        if let Some(saboteur) = self.saboteur {
            let to = match &self.source {
                Source::Socket(path) => format!(" --socket {}", path.display()),
                Source::BuiltIn(_) => String::new(),
                Source::Command(_) => format!(" -- {}", self.source.describe(self.role)),
            };
            return format!("dirty check {} --only {id} --sabotage {}{to}", self.role, saboteur.name);
        }
        match &self.source {
            Source::Socket(path) => {
                format!("dirty replay {id} --role {} --socket {}", self.role, path.display())
            }
            Source::BuiltIn(_) => format!("dirty replay {id} --role {}", self.role),
            Source::Command(words) => {
                format!("dirty check {} --only {id} -- {}", self.role, command_line(words))
            }
        }
    }

    fn play(&mut self, transcript: &Transcript, options: &Options) -> Result<Outcome, SubjectError> {
        let socket = self.subject(&transcript.setup)?.socket().to_owned();
        let mut outcome = replay(transcript, self.role, &socket, options);
        let running = self.running.get_mut(&self.relevant(&transcript.setup));
        if let (Some(_), Some(running)) = (&outcome.failure, running)
            && !running.is_alive()
        {
            let words = running.last_words();
            let what = What::Note(format!("the {} has ended; the last that it wrote: {words}", self.role));
            outcome.trace.add("", self.role, true, None, what);
        }
        Ok(outcome)
    }

    fn renew(&mut self) {
        self.running.clear();
    }
}

/// Words as a shell reads them.
pub(super) fn command_line(words: &[OsString]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    let quoted = words.iter().map(|word| {
        let word = word.to_string_lossy();
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Which transcripts are played, and what is already known about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those whose id fits one of these patterns; all when there are none.
    pub only: Vec<String>,
    /// Only those up to this level.
    pub level: Option<Level>,
    /// Features that the subject lacks: transcripts that need one are skipped.
    pub without: Vec<String>,
    /// Failures that are known.
    pub baseline: Baseline,
}

impl Selection {
    /// Whether this transcript is selected.
    pub fn has(&self, transcript: &Transcript) -> bool {
        let id = &transcript.id;
        let named = self.only.is_empty() || self.only.iter().any(|pattern| corpus::fits(pattern, id));
        // One that does not say its level asks for everything.
        named && self.level.is_none_or(|most| transcript.level.unwrap_or(Level::L3) <= most)
    }
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The role that was judged.
    pub role: Role,
    /// What was judged.
    pub subject: String,
    /// Which transcripts were to be played.
    pub selection: Selection,
    /// The transcripts that judge the role and were left out on request.
    pub left_out: Vec<Transcript>,
    /// How the transcripts were played.
    pub options: Options,
    /// What became of each.
    pub played: Vec<Played>,
    /// How long it all took.
    pub duration: Duration,
}

/// How many transcripts have each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that passed.
    pub passed: usize,
    /// Those that failed, known failures not counted.
    pub failed: usize,
    /// Those that failed as the baseline says.
    pub known: usize,
    /// Those that were skipped.
    pub skipped: usize,
    /// Those that were not played any more.
    pub not_run: usize,
}

impl Counts {
    fn of<'a>(played: impl IntoIterator<Item = &'a Played>) -> Counts {
        let mut counts = Counts::default();
        for played in played {
            *match &played.verdict {
                Verdict::Passed => &mut counts.passed,
                Verdict::Failed(_) => &mut counts.failed,
                Verdict::Known { .. } => &mut counts.known,
                Verdict::Skipped { .. } => &mut counts.skipped,
                Verdict::NotRun { .. } => &mut counts.not_run,
            } += 1;
        }
        counts
    }

    /// All of them, with their names in reports.
    pub fn named(self) -> [(&'static str, usize); 5] {
        let Counts { passed, failed, known, skipped, not_run } = self;
        [("passed", passed), ("failed", failed), ("known", known), ("skipped", skipped), ("not_run", not_run)]
    }
}

impl Run {
    /// Whether something was played and nothing failed, known or not.
    pub fn is_conformant(&self) -> bool {
        let counts = self.counts();
        self.is_as_expected() && counts.known == 0
    }

    /// Whether something was played and nothing failed but what the baseline knows, which is all true.
    pub fn is_as_expected(&self) -> bool {
        let counts = self.counts();
        let judged = counts.passed + counts.known > 0;
        judged && counts.failed + counts.not_run == 0 && self.stale().is_empty()
    }

    /// What failed, known or not.
    pub fn failures(&self) -> impl Iterator<Item = (&Played, &Failure)> {
        self.played.iter().filter_map(|played| match &played.verdict {
            Verdict::Failed(failure) | Verdict::Known { failure, .. } => Some((played, failure)),
            _ => None,
        })
    }

    /// Entries of the baseline that are not true: their transcripts passed, were skipped, or failed otherwise.
    pub fn stale(&self) -> Vec<&Known> {
        let is_stale = |known: &&Known| {
            let played = self.played.iter().find(|it| it.transcript.id == known.transcript);
            played.is_some_and(|it| !matches!(it.verdict, Verdict::Known { .. } | Verdict::NotRun { .. }))
        };
        self.selection.baseline.known.iter().filter(is_stale).collect()
    }

    /// How many transcripts have each verdict.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.played)
    }

    /// The same for one level.
    pub fn counts_of(&self, level: Level) -> Counts {
        Counts::of(self.played.iter().filter(|it| it.transcript.level == Some(level)))
    }
}

/// After how many transcripts in a row in which the subject did nothing it is asked whether it answers at all.
const MUTE_ROW: usize = 3;

/// The transcript that every subject that answers at all answers.
const SIGN_OF_LIFE: &str = "calls/echo";

/// Plays the selected transcripts that judge the stage's role, one after the other. `on_played` hears of each.
///
/// When the subject has done nothing in three transcripts in a row, `calls/echo` is played in between; if it does
/// nothing in that either, the rest is not played, and counts as failed.
///
/// # Errors
/// [`SubjectError`] when the subject cannot be run at all. One that cannot be started again after a failure makes
/// the transcripts fail that would have needed it.
pub fn run(
    transcripts: Vec<Transcript>,
    stage: &mut dyn Stage,
    selection: &Selection,
    options: &Options,
    on_played: &mut dyn FnMut(&Played),
) -> Result<Run, SubjectError> {
    let begun = Instant::now();
    let role = stage.role();
    let judging = transcripts.into_iter().filter(|it| it.judges(role));
    let (selected, left_out): (Vec<_>, Vec<_>) = judging.partition(|it| selection.has(it));
    let mut played: Vec<Played> = Vec::new();
    let mut reached = false;
    let mut mute = 0;
    let mut dead = None;
    for transcript in selected {
        let lacks = transcript
            .lacking(|feature| stage.lacks(feature) || selection.without.iter().any(|it| it == feature));
        let again = stage.again(&transcript.id);
        let mut result = Played {
            transcript,
            verdict: Verdict::Passed,
            duration: Duration::ZERO,
            trace: None,
            again,
            departures: Vec::new(),
        };
        if let Some(lacks) = lacks {
            result.verdict = Verdict::Skipped { lacks };
        } else if let Some(reason) = &dead {
            result.verdict = Verdict::NotRun { reason: String::clone(reason) };
        } else {
            let did_nothing = match stage.play(&result.transcript, options) {
                Ok(outcome) => {
                    reached = true;
                    let did_nothing = outcome.is_mute();
                    let Outcome { trace, duration, failure, departures } = outcome;
                    result.verdict = verdict(&result.transcript, failure, selection);
                    (result.trace, result.duration, result.departures) = (Some(trace), duration, departures);
                    did_nothing
                }
                Err(error) if !reached => return Err(error),
                Err(error) => {
                    let waited = matches!(error, SubjectError::Slow { .. });
                    let problem = Problem::Connect(error.to_string());
                    let failure = Failure { step: 1, on: String::new(), problem };
                    result.verdict = verdict(&result.transcript, Some(failure), selection);
                    waited
                }
            };
            if matches!(result.verdict, Verdict::Failed(_) | Verdict::Known { .. }) {
                stage.renew();
            }
            mute = if did_nothing { mute + 1 } else { 0 };
        }
        on_played(&result);
        played.push(result);
        if mute == MUTE_ROW && dead.is_none() {
            dead = sign_of_life(stage, options).err();
            mute = 0;
        }
    }
    let (subject, options, selection) = (stage.describe(), *options, selection.clone());
    Ok(Run { role, subject, selection, left_out, options, played, duration: begun.elapsed() })
}

fn verdict(transcript: &Transcript, failure: Option<Failure>, selection: &Selection) -> Verdict {
    match failure {
        None => Verdict::Passed,
        Some(Failure { problem: Problem::Unsupported(lacks), .. }) => Verdict::Skipped { lacks },
        Some(failure) => match selection.baseline.knows(transcript, &failure) {
            Some(known) => Verdict::Known { failure, reason: known.reason.clone() },
            None => Verdict::Failed(failure),
        },
    }
}

/// Whether the subject answers at all; else why the rest is not worth the time.
fn sign_of_life(stage: &mut dyn Stage, options: &Options) -> Result<(), String> {
    let row = format!("it has done nothing in {MUTE_ROW} transcripts in a row, and in {SIGN_OF_LIFE}");
    let Ok(transcript) = corpus::load(SIGN_OF_LIFE) else { return Ok(()) };
    let played = stage.play(&transcript, options);
    match played {
        Ok(outcome) if !outcome.is_mute() => {
            if outcome.failure.is_some() {
                stage.renew();
            }
            Ok(())
        }
        Ok(outcome) => {
            stage.renew();
            let seen = outcome.failure.map(|failure| failure.problem.to_string()).unwrap_or_default();
            Err(format!("the subject answers nothing: {row}: {seen}"))
        }
        Err(error) => Err(format!("the subject cannot be run any more: {error}")),
    }
}
