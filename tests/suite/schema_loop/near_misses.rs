//! Random messages and near-misses, on which three judges have to agree.

use std::cell::Cell;

use dirty_arbiter::message::{DirtyMessage, derived_schema};
use dirty_arbiter::wire::{Limits, Members};
use jsonschema::Validator;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRunner};
use serde_json::Value;

use super::{messages, mutations};
use crate::generated::schema;

const CASES: u32 = 24_000;

/// The judges of a message.
struct Judges {
    normative: Validator,
    derived: Validator,
}

impl Judges {
    fn new() -> Self {
        Judges {
            normative: jsonschema::validator_for(&schema()).unwrap(),
            derived: jsonschema::validator_for(derived_schema().as_value()).unwrap(),
        }
    }

    /// The verdict on a message, if it is the same everywhere.
    fn verdict(&self, message: &Value) -> Result<bool, String> {
        let payload = message.to_string();
        let limits = Limits::default();
        let members = Members::read(payload.as_bytes(), &limits).map_err(|error| error.to_string())?;
        let decoded = DirtyMessage::from_members(&members);
        let checked = DirtyMessage::check(&members);
        let verdicts = [
            ("normative schema", self.normative.is_valid(message)),
            ("derived schema", self.derived.is_valid(message)),
            ("decoder", decoded.is_ok()),
        ];
        if verdicts.iter().any(|(_, verdict)| *verdict != verdicts[0].1) {
            return Err(format!("{verdicts:?} on {payload}, decoder says {decoded:?}"));
        }
        match (decoded, checked) {
            (Ok(decoded), Ok(kind)) if kind == decoded.message_type() => {
                let again = decoded.encode();
                let value: Value = serde_json::from_str(std::str::from_utf8(&again).unwrap()).unwrap();
                if !self.normative.is_valid(&value) {
                    return Err(format!("encoded as {value}, which is no message"));
                }
                match DirtyMessage::decode(&again, &limits) {
                    Ok(back) if back == decoded => Ok(true),
                    other => Err(format!("{payload} comes back as {other:?}")),
                }
            }
            (Err(decoded), Err(checked)) if decoded == checked => {
                // What is wrong is there, or missing from something that is there.
                let holder = decoded.pointer.rsplit_once('/').map_or("", |(holder, _)| holder);
                let named = message.pointer(holder).is_some_and(Value::is_object);
                if named { Ok(false) } else { Err(format!("{decoded} points nowhere in {payload}")) }
            }
            (decoded, checked) => Err(format!("check says {checked:?}, decoder {decoded:?} on {payload}")),
        }
    }
}

#[test]
fn schemas_and_decoder_agree_on_messages_and_near_misses() {
    let judges = Judges::new();
    let (refused, accepted_misses) = (Cell::new(0), Cell::new(0));
    // The default source of randomness takes half the time of the test.
    let rng_algorithm = RngAlgorithm::XorShift;
    let config = Config { cases: CASES, failure_persistence: None, rng_algorithm, ..Config::default() };
    let strategy = (messages::message(), mutations::mutations(), 0..3_u8);
    let run = TestRunner::new(config).run(&strategy, |(mut message, mutations, third)| {
        let miss = third == 0;
        if miss {
            mutations::apply(&mut message, &mutations);
        }
        let accepted = judges.verdict(&message).map_err(TestCaseError::fail)?;
        if !miss && !accepted {
            return Err(TestCaseError::fail(format!("a message was refused: {message}")));
        }
        refused.set(refused.get() + u32::from(!accepted));
        accepted_misses.set(accepted_misses.get() + u32::from(miss && accepted));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    // A generator whose mutants all go the same way would prove little.
    let (refused, accepted_misses) = (refused.get(), accepted_misses.get());
    assert!(refused > CASES / 8, "only {refused} of {CASES} were refused");
    assert!(accepted_misses > CASES / 50, "only {accepted_misses} mutants of {CASES} were accepted");
}
