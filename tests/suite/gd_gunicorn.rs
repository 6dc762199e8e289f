//! The vectors of `gd/1`, read by gunicorn's own codec: where it differs, the vector says so.

use crate::interop::driver::{Version, drive_with};
use crate::traceability::root;

#[test]
fn the_vectors_mean_the_same_to_the_newest_gunicorn() {
    let folder = root().join("schemas/vectors/gd");
    drive_with(
        Version::Newest,
        "vectors.py",
        // The drivers' common part wants a socket, which is not used here.
        &[("VECTORS", folder.to_str().unwrap()), ("GUNICORN_DIRTY_SOCKET", "")],
        &[
            "the_valid_vectors_mean_the_same_to_gunicorn",
            "the_invalid_vectors_are_refused_by_gunicorn_unless_they_say_otherwise",
        ],
    );
}
