//! The schema that the types of the control socket imply.

// These types only describe; nothing makes a value of them.
#![allow(dead_code)]

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{ManageMessage, ManageResult, PoolStatus, StatusMessage};
use crate::message::{ErrorMessage, RequestId};

/// A member that is always there but may be null; to schemars an `Option` is a member that may be absent.
pub(super) struct OrNull<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for OrNull<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OrNull{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<T>(), { "type": "null" }] })
    }
}

/// The number of a process.
pub(super) struct ProcessId;

impl JsonSchema for ProcessId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ProcessId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

/// Any message on the control socket.
#[derive(JsonSchema)]
#[schemars(tag = "type", rename_all = "lowercase")]
enum ControlMessage {
    Status(StatusMessage),
    Manage(ManageMessage),
    Response(ResponseMessage),
    Error(ErrorMessage),
}

/// A [`ResponseMessage`](crate::message::ResponseMessage) whose result is one of two.
#[derive(JsonSchema)]
struct ResponseMessage {
    id: RequestId,
    result: ControlResult,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ControlResult {
    Status(PoolStatus),
    Manage(ManageResult),
}

/// The schema that the Rust types imply. It accepts the same messages as `schemas/control-v1.schema.json`.
pub fn derived_schema() -> Schema {
    SchemaSettings::draft2020_12().for_deserialize().into_generator().into_root_schema_for::<ControlMessage>()
}
