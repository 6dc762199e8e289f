//! Playing many transcripts against one subject.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::corpus;
use super::failure::{Failure, Problem};
use super::replay::{Options, Outcome, replay};
use super::subject::{Running, Source, SubjectError};
use super::trace::{Trace, What};
use super::transcript::{Setup, Transcript};
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
}

/// Whether the subject did what a transcript says.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not.
    Failed(Failure),
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
    running: BTreeMap<Setup, Running>,
}

impl SocketStage {
    /// A stage for a subject of this role.
    pub fn new(role: Role, source: Source) -> SocketStage {
        SocketStage { role, source, running: BTreeMap::new() }
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
            let running = self.source.start(self.role, &setup)?;
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
        self.source.describe(self.role)
    }

    fn again(&self, id: &str) -> String {
        match &self.source {
            Source::Socket(path) => {
                format!("dirty replay {id} --role {} --socket {}", self.role, path.display())
            }
            Source::BuiltIn(_) => format!("dirty replay {id} --role {}", self.role),
            Source::Command(_) => format!("dirty check {} --only {id} -- {}", self.role, self.describe()),
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

/// Which transcripts are played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those whose id fits one of these patterns; all when there are none.
    pub only: Vec<String>,
    /// Features that the subject lacks.
    pub without: Vec<String>,
}

impl Selection {
    /// Whether a transcript with this id is selected.
    pub fn has(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| corpus::fits(pattern, id))
    }
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The role that was judged.
    pub role: Role,
    /// What was judged.
    pub subject: String,
    /// The transcripts that judge the role and were left out on request.
    pub left_out: Vec<Transcript>,
    /// How the transcripts were played.
    pub options: Options,
    /// What became of each.
    pub played: Vec<Played>,
    /// How long it all took.
    pub duration: Duration,
}

impl Run {
    /// Whether nothing failed.
    pub fn is_conformant(&self) -> bool {
        self.failures().next().is_none()
    }

    /// What failed.
    pub fn failures(&self) -> impl Iterator<Item = (&Played, &Failure)> {
        self.played.iter().filter_map(|played| match &played.verdict {
            Verdict::Failed(failure) => Some((played, failure)),
            _ => None,
        })
    }

    /// How many passed, failed and were skipped.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |fits: fn(&Verdict) -> bool| self.played.iter().filter(|it| fits(&it.verdict)).count();
        (
            count(|verdict| *verdict == Verdict::Passed),
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            count(|verdict| matches!(verdict, Verdict::Skipped { .. })),
        )
    }
}

/// Plays the selected transcripts that judge the stage's role, one after the other. `on_played` hears of each.
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
    let (selected, left_out): (Vec<_>, Vec<_>) = judging.partition(|it| selection.has(&it.id));
    let mut played: Vec<Played> = Vec::new();
    let mut reached = false;
    for transcript in selected {
        let lacks = transcript.needs.iter().find(|need| selection.without.contains(need)).cloned();
        let again = stage.again(&transcript.id);
        let result = if let Some(lacks) = lacks {
            let verdict = Verdict::Skipped { lacks };
            Played { transcript, verdict, duration: Duration::ZERO, trace: None, again }
        } else {
            match stage.play(&transcript, options) {
                Ok(outcome) => {
                    reached = true;
                    let Outcome { trace, duration, failure } = outcome;
                    let verdict = failure.map_or(Verdict::Passed, Verdict::Failed);
                    Played { transcript, verdict, duration, trace: Some(trace), again }
                }
                Err(error) if !reached => return Err(error),
                Err(error) => {
                    let problem = Problem::Connect(error.to_string());
                    let failure = Failure { step: 1, on: String::new(), problem };
                    let verdict = Verdict::Failed(failure);
                    Played { transcript, verdict, duration: Duration::ZERO, trace: None, again }
                }
            }
        };
        if matches!(result.verdict, Verdict::Failed(_)) {
            stage.renew();
        }
        on_played(&result);
        played.push(result);
    }
    let (subject, options) = (stage.describe(), *options);
    Ok(Run { role, subject, left_out, options, played, duration: begun.elapsed() })
}
