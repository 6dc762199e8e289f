//! What somebody may have meant.

/// How the names of the settings begin.
const PREFIX: &str = "dirty_";

/// "; did you mean X?", or nothing when no candidate is near.
pub(super) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// The candidate that `name` is nearest to, if it is a likely slip of the pen. Case, dashes and the prefix do not count.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let meant = plain(name);
    let distance = |candidate| strsim::osa_distance(&meant, &plain(candidate));
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    // A third of the letters: "worker" is "workers", "tread" is "threads", "port" is nothing.
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= meant.chars().count()).then_some(candidate)
}

fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace('-', "_");
    name.strip_prefix(PREFIX).map_or_else(|| name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_understood_and_strangers_are_not() {
        let known = ["dirty_workers", "dirty_threads", "dirty_timeout", "dirty_queue", "dirty_queue_timeout"];
        for (name, meant) in [
            ("dirty_worker", Some("dirty_workers")),
            ("workers", Some("dirty_workers")),
            ("DIRTY-WORKERS", Some("dirty_workers")),
            ("dirty_tiemout", Some("dirty_timeout")),
            ("queue_time_out", Some("dirty_queue_timeout")),
            ("bind", None),
            ("dirty_worker_socket", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name:?}");
        }
    }
}
